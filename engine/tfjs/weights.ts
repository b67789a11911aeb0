/**
 * A decoder's weights on the native side, in the forms that generation multiplies by.
 *
 * Checkpoints hold [out, in]; products want [in, out] (with the other order they are slower and, at few rows, not the same
 * bits). The gain of the norm before a product is folded into its rows, 1/√headSize into the queries. Rows of q and k are in
 * another order than in the file: the two halves of a head that a rotation pairs are neighbours, so that it is one product
 * of complex numbers. Scores are sums over a head, so the order changes nothing else.
 */
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import { EngineError } from '../engine.ts';
import type { LayerWeights } from './forward.ts';
import { kvHeadsOf } from './parameters.ts';
import { exp, log, sinCos } from './portable-math.ts';
import { free, Scope, tensor, type Handle } from './raw.ts';
import type { NamedTensor } from './safetensors.ts';

/** The table of rotations grows by so many positions. */
const ROTATIONS_STEP = 256;

export class DecoderWeights {
  readonly layers: LayerWeights<Handle>[] = [];
  /** [vocab, dModel] */
  readonly embedding: Handle;
  /** [dModel, vocab] */
  readonly head: Handle;
  readonly #config: DecoderConfig;
  readonly #owned = new Scope();
  #rotations: { handle: Handle; positions: number } | undefined;

  /** @throws EngineError `CheckpointInvalid` where a tensor is missing or has another shape. */
  constructor(config: DecoderConfig, tensors: ReadonlyMap<string, NamedTensor>) {
    this.#config = config;
    const { dModel: d, dFF, vocabSize, heads } = config;
    const width = d / heads;
    const keys = width * kvHeadsOf(config);
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
    const put = (shape: number[], values: Float32Array) => this.#owned.own(tensor(shape, values));
    const embedding = data('model.embed_tokens.weight', vocabSize, d);
    this.embedding = put([vocabSize, d], embedding);
    const last = config.tiedEmbeddings ? embedding : data('lm_head.weight', vocabSize, d);
    const product = new Product(d, vocabSize);
    product.fill(last, { gain: data('model.norm.weight', d) });
    this.head = put([d, vocabSize], product.values);
    for (let layer = 0; layer < config.layers; layer++) {
      const at = `model.layers.${layer}.`;
      const before = data(`${at}input_layernorm.weight`, d);
      const between = data(`${at}post_attention_layernorm.weight`, d);
      const attention = (name: string, outputs: number) => data(`${at}self_attn.${name}_proj.weight`, outputs, d);
      const qkv = new Product(d, d + 2 * keys);
      qkv.fill(attention('q', d), { gain: before, scale: 1 / Math.sqrt(width), paired: width });
      qkv.fill(attention('k', keys), { from: d, gain: before, paired: width });
      qkv.fill(attention('v', keys), { from: d + keys, gain: before });
      const single = (name: string, inputs: number, outputs: number, gain?: Float32Array) => {
        const weight = new Product(inputs, outputs);
        weight.fill(data(`${at}${name}_proj.weight`, outputs, inputs), { gain });
        return put([inputs, outputs], weight.values);
      };
      this.layers.push({
        qkv: put([d, d + 2 * keys], qkv.values),
        o: single('self_attn.o', d, d),
        up: single('mlp.up', d, dFF, between),
        ...(config.activation === 'swiglu' && { gate: single('mlp.gate', d, dFF, between) }),
        down: single('mlp.down', dFF, d),
      });
    }
  }

  /** Cosine and sine side by side for positions 0 … at least `positions` − 1: [positions, dModel + 2·keys]; v does not turn. */
  rotations(positions: number): Handle {
    if (this.#rotations !== undefined && this.#rotations.positions >= positions) return this.#rotations.handle;
    const { dModel: d, heads, ropeTheta } = this.#config;
    const width = d / heads;
    const keys = width * kvHeadsOf(this.#config);
    const rows = Math.ceil(positions / ROTATIONS_STEP) * ROTATIONS_STEP;
    const columns = d + 2 * keys;
    const frequencies = Array.from({ length: width / 2 }, (_, i) => exp(((-2 * i) / width) * log(ropeTheta)));
    const table = new Float32Array(rows * columns);
    for (let position = 0; position < rows; position++) {
      const head = frequencies.flatMap((frequency) => sinCos(position * frequency).reverse());
      const row = table.subarray(position * columns, (position + 1) * columns);
      for (let at = 0; at < d + keys; at += width) row.set(head, at);
      for (let at = d + keys; at < columns; at += 2) row[at] = 1;
    }
    if (this.#rotations !== undefined) free(this.#rotations.handle);
    this.#rotations = { handle: tensor([rows, columns], table), positions: rows };
    return this.#rotations.handle;
  }

  close(): void {
    if (this.#rotations !== undefined) free(this.#rotations.handle);
    this.#rotations = undefined;
    this.#owned.close();
  }
}

/** A matrix [in, out] made from matrices [out, in]. */
class Product {
  readonly values: Float32Array;

  constructor(
    readonly inputs: number,
    readonly outputs: number,
  ) {
    this.values = new Float32Array(inputs * outputs);
  }

  /** `paired`: the width of heads whose halves are to become neighbours. */
  fill(
    weight: Float32Array,
    {
      from = 0,
      gain,
      scale = 1,
      paired,
    }: { from?: number; gain?: Float32Array | undefined; scale?: number; paired?: number },
  ): void {
    const rows = weight.length / this.inputs;
    for (let row = 0; row < rows; row++) {
      let column = from + row;
      if (paired !== undefined) {
        const within = row % paired;
        const half = paired / 2;
        column += (within < half ? 2 * within : 2 * (within - half) + 1) - within;
      }
      for (let i = 0; i < this.inputs; i++)
        this.values[i * this.outputs + column] = weight[row * this.inputs + i]! * (gain?.[i] ?? 1) * scale;
    }
  }
}
