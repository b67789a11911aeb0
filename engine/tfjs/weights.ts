/**
 * A decoder's weights on the native side, in the forms that generation multiplies by.
 *
 * Checkpoints hold [out, in]; products want [in, out]. The gain of the norm before a product is folded into its rows,
 * 1/√headSize into the queries. For one position the rotary embedding is linear: x W rotated = x (W cos + W' sin), W' being
 * W with the halves of each head crossed and signed ("turned"); `rotated` makes that one matrix for a position, once.
 */
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import { EngineError } from '../engine.ts';
import { exp, log, sinCos } from './portable-math.ts';
import { Scope, T, tensor, type Handle } from './raw.ts';
import type { NamedTensor } from './safetensors.ts';

/** Each [in, out] float32. */
export interface LayerWeights {
  q: Handle;
  qTurned: Handle;
  k: Handle;
  kTurned: Handle;
  v: Handle;
  o: Handle;
  up: Handle;
  /** swiglu only. */
  gate: Handle | undefined;
  down: Handle;
}

/** Rotated weights of all positions are kept where they take no more than this. */
const ROTATED_BYTES = 64e6;

export class DecoderWeights {
  readonly layers: LayerWeights[] = [];
  /** [vocab, dModel] */
  readonly embedding: Handle;
  /** [dModel, vocab] */
  readonly head: Handle;
  readonly #config: DecoderConfig;
  readonly #owned = new Scope();
  readonly #rotated = new Map<number, [q: Handle, k: Handle]>();
  readonly #keepRotated: boolean;
  readonly #frequencies: number[];

  constructor(config: DecoderConfig, tensors: Map<string, NamedTensor>) {
    this.#config = config;
    const { dModel: d, dFF, vocabSize, heads, context } = config;
    this.#keepRotated = 2 * config.layers * d * d * context * 4 <= ROTATED_BYTES;
    const half = d / heads / 2;
    const logTheta = log(config.ropeTheta);
    this.#frequencies = Array.from({ length: half }, (_, i) => exp((-i / half) * logTheta));
    const data = (name: string, ...shape: number[]): Float32Array => {
      const found = tensors.get(name);
      if (found === undefined) throw new EngineError('CheckpointInvalid', `the checkpoint lacks ${name}`);
      if (found.shape.join() !== shape.join())
        throw new EngineError(
          'CheckpointInvalid',
          `${name} has shape [${found.shape.join()}], expected [${shape.join()}]`,
        );
      return found.data;
    };
    /** [out, in] to [in, out], each row times its gain and all times `scale`. */
    const turned = (weight: Float32Array, inputs: number, outputs: number, gain?: Float32Array, scale = 1) => {
      const result = new Float32Array(weight.length);
      for (let o = 0; o < outputs; o++)
        for (let i = 0; i < inputs; i++) result[i * outputs + o] = weight[o * inputs + i]! * (gain?.[i] ?? 1) * scale;
      return result;
    };
    const put = (shape: number[], values: Float32Array) => this.#owned.own(tensor(shape, values));
    const cross = (weight: Float32Array) => {
      const result = new Float32Array(weight.length);
      for (let at = 0; at < weight.length; at++) {
        const inHead = at % (2 * half);
        result[at] = inHead < half ? -weight[at + half]! : weight[at - half]!;
      }
      return result;
    };
    const embedding = data('model.embed_tokens.weight', vocabSize, d);
    this.embedding = put([vocabSize, d], embedding);
    const last = config.tiedEmbeddings ? embedding : data('lm_head.weight', vocabSize, d);
    this.head = put([d, vocabSize], turned(last, d, vocabSize, data('model.norm.weight', d)));
    for (let layer = 0; layer < config.layers; layer++) {
      const at = `model.layers.${layer}.`;
      const before = data(`${at}input_layernorm.weight`, d);
      const between = data(`${at}post_attention_layernorm.weight`, d);
      const square = (name: string, gain?: Float32Array, scale = 1) =>
        turned(data(`${at}self_attn.${name}_proj.weight`, d, d), d, d, gain, scale);
      const q = square('q', before, 1 / Math.sqrt(2 * half));
      const k = square('k', before);
      const wide = (name: string) =>
        put([d, dFF], turned(data(`${at}mlp.${name}_proj.weight`, dFF, d), d, dFF, between));
      this.layers.push({
        q: put([d, d], q),
        qTurned: put([d, d], cross(q)),
        k: put([d, d], k),
        kTurned: put([d, d], cross(k)),
        v: put([d, d], square('v', before)),
        o: put([d, d], square('o')),
        up: wide('up'),
        gate: config.activation === 'swiglu' ? wide('gate') : undefined,
        down: put([dFF, d], turned(data(`${at}mlp.down_proj.weight`, d, dFF), dFF, d)),
      });
    }
  }

  /** cos and sin for positions 0 … time − 1, each [time, dModel]; owned by `scope`. */
  rotation(scope: Scope, time: number): [cos: Handle, sin: Handle] {
    const d = this.#config.dModel;
    const cos = new Float32Array(time * d);
    const sin = new Float32Array(time * d);
    for (let position = 0; position < time; position++) this.#angles(position, cos, sin, position * d);
    return [scope.own(tensor([time, d], cos)), scope.own(tensor([time, d], sin))];
  }

  /** The query and key weights [dModel, dModel] at one position; `scope` owns them unless they are kept. */
  rotated(scope: Scope, layer: number, position: number): [q: Handle, k: Handle] {
    const key = position * this.#config.layers + layer;
    const kept = this.#rotated.get(key);
    if (kept !== undefined) return kept;
    const d = this.#config.dModel;
    const [cos, sin] = [new Float32Array(d), new Float32Array(d)];
    this.#angles(position, cos, sin, 0);
    const passing = new Scope();
    const [c, s] = [passing.own(tensor([d], cos)), passing.own(tensor([d], sin))];
    const { q, qTurned, k, kTurned } = this.layers[layer]!;
    const turn = (straight: Handle, crossed: Handle) =>
      passing.op('AddV2', [T], [passing.op('Mul', [T], [straight, c]), passing.op('Mul', [T], [crossed, s])]);
    const made: [q: Handle, k: Handle] = [turn(q, qTurned), turn(k, kTurned)];
    passing.close(...made);
    const owner = this.#keepRotated ? this.#owned : scope;
    for (const handle of made) owner.own(handle);
    if (this.#keepRotated) this.#rotated.set(key, made);
    return made;
  }

  close(): void {
    this.#rotated.clear();
    this.#owned.close();
  }

  #angles(position: number, cos: Float32Array, sin: Float32Array, at: number): void {
    const half = this.#frequencies.length;
    for (let column = 0; column < this.#config.dModel; column++)
      [sin[at + column], cos[at + column]] = sinCos(position * this.#frequencies[column % half]!);
  }
}
