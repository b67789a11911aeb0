/**
 * A decoder's weights on the native side, in the forms that generation multiplies by.
 *
 * Checkpoints hold [out, in]; products want [in, out] (with the other order they are slower and, at few rows, not the same
 * bits). The gain of the norm before a product is folded into its rows, the norm's bias into the product's, 1/√headWidth into
 * the queries. Rows of q and k are in another order than in the file (rotary.ts).
 */
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import { EngineError } from '../engine.ts';
import type { Affine, LayerWeights } from './forward.ts';
import { headWidthOf, kvHeadsOf, parameterShapes, REWARD_HEAD } from './parameters.ts';
import { free, Scope, tensor, type Handle } from './raw.ts';
import { fileRow, headTurns } from './rotary.ts';
import type { NamedTensor } from './safetensors.ts';

/** The table of rotations grows by so many positions. */
const ROTATIONS_STEP = 256;

/** A projection of the file, [out, in], and how it enters a product. */
interface Projection {
  weight: Float32Array;
  bias: Float32Array | undefined;
  scale?: number;
  /** Its rows are reordered. */
  rotary?: boolean;
}

interface Norm {
  gain: Float32Array;
  bias: Float32Array | undefined;
}

export class DecoderWeights {
  readonly layers: LayerWeights<Handle>[] = [];
  /** [vocab, dModel] */
  readonly embedding: Handle;
  readonly head: Affine<Handle>;
  /** Of a reward model, in float64: the head times the last norm's gain [dModel], and what its bias adds. */
  readonly reward: { weights: Float64Array; bias: number } | undefined;
  readonly #config: DecoderConfig;
  readonly #owned = new Scope();
  readonly #learned: Handle | undefined;
  #rotations: { handle: Handle; positions: number } | undefined;

  /** @throws EngineError `CheckpointInvalid` where a tensor is missing or has another shape. */
  constructor(config: DecoderConfig, tensors: ReadonlyMap<string, NamedTensor>) {
    this.#config = config;
    const { dModel: d, vocabSize, context } = config;
    const shapes = new Map(parameterShapes(config).map(({ name, shape }) => [name, shape.join()]));
    /** Undefined where this architecture has none. */
    const optional = (name: string): Float32Array | undefined => {
      const shape = shapes.get(name);
      if (shape === undefined) return undefined;
      const found = tensors.get(name);
      if (found === undefined) throw new EngineError('CheckpointInvalid', `the checkpoint lacks ${name}`);
      if (found.shape.join() !== shape)
        throw new EngineError('CheckpointInvalid', `${name} has shape [${found.shape.join()}], expected [${shape}]`);
      return found.data;
    };
    const data = (name: string) => optional(name)!;
    const norm = (name: string): Norm => ({ gain: data(`${name}.weight`), bias: optional(`${name}.bias`) });
    const projection = (name: string): Projection => ({
      weight: data(`${name}.weight`),
      bias: optional(`${name}.bias`),
    });

    const embedding = data('model.embed_tokens.weight');
    this.embedding = this.#put([vocabSize, d], embedding);
    const places = optional('model.embed_positions.weight');
    this.#learned = places && this.#put([context, d], places);
    const last = { weight: optional('lm_head.weight') ?? embedding, bias: optional('lm_head.bias') };
    const final = norm('model.norm');
    this.head = this.#affine([last], d, final);
    const score = optional(REWARD_HEAD);
    this.reward = score && {
      weights: Float64Array.from(score, (weight, i) => weight * final.gain[i]!),
      bias: score.reduce((sum, weight, i) => sum + weight * (final.bias?.[i] ?? 0), 0),
    };
    const scale = 1 / Math.sqrt(headWidthOf(config));
    for (let layer = 0; layer < config.layers; layer++) {
      const at = (name: string) => `model.layers.${layer}.${name}`;
      const before = norm(at('input_layernorm'));
      const between = config.parallel ? before : norm(at('post_attention_layernorm'));
      const single = (name: string, inputs: number, norm?: Norm) =>
        this.#affine([projection(at(`${name}_proj`))], inputs, norm);
      const [q, k, v] = ['q', 'k', 'v'].map((name) => projection(at(`self_attn.${name}_proj`))) as [
        Projection,
        Projection,
        Projection,
      ];
      const ordered = [{ ...q, rotary: true, ...(!config.qkNorm && { scale }) }, { ...k, rotary: true }, v];
      this.layers.push({
        qkv: this.#affine(ordered, d, before),
        ...(config.qkNorm && {
          headGains: this.#headGains(data(at('self_attn.q_norm.weight')), data(at('self_attn.k_norm.weight')), scale),
        }),
        o: single('self_attn.o', headWidthOf(config) * config.heads),
        up: single('mlp.up', d, between),
        ...(config.activation === 'swiglu' && { gate: single('mlp.gate', d, between) }),
        down: single('mlp.down', config.dFF),
      });
    }
  }

  #put(shape: number[], values: Float32Array): Handle {
    return this.#owned.own(tensor(shape, values));
  }

  /** Projections side by side. */
  #affine(parts: readonly Projection[], inputs: number, norm?: Norm): Affine<Handle> {
    const outputs = parts.reduce((sum, { weight }) => sum + weight.length / inputs, 0);
    const values = new Float32Array(inputs * outputs);
    const biased = norm?.bias !== undefined || parts.some(({ bias }) => bias !== undefined);
    const biases = new Float32Array(biased ? outputs : 0);
    let column = 0;
    for (const { weight, bias, scale = 1, rotary } of parts) {
      const rows = weight.length / inputs;
      for (let own = 0; own < rows; own++, column++) {
        const row = rotary ? fileRow(this.#config, own) : own;
        let added = bias?.[row] ?? 0;
        for (let i = 0; i < inputs; i++) {
          const value = weight[row * inputs + i]!;
          values[i * outputs + column] = value * (norm?.gain[i] ?? 1) * scale;
          if (norm?.bias !== undefined) added += value * norm.bias[i]!;
        }
        if (biased) biases[column] = added * scale;
      }
    }
    return { matrix: this.#put([inputs, outputs], values), ...(biased && { bias: this.#put([outputs], biases) }) };
  }

  #headGains(q: Float32Array, k: Float32Array, scale: number): Handle {
    const { heads } = this.#config;
    const [all, width] = [heads + kvHeadsOf(this.#config), headWidthOf(this.#config)];
    const gains = Float32Array.from({ length: all * width }, (_, n) => {
      const row = fileRow(this.#config, n % width);
      return n < heads * width ? q[row]! * scale : k[row]!;
    });
    return this.#put([all, width], gains);
  }

  /**
   * What is looked up by position: learned, [context, d]; else cosine and sine side by side for positions 0 … at least
   * `positions` − 1, [positions, (heads + 2·kvHeads)·width]; v does not turn.
   */
  places(positions: number): Handle {
    if (this.#learned !== undefined) return this.#learned;
    if (this.#rotations !== undefined && this.#rotations.positions >= positions) return this.#rotations.handle;
    const width = headWidthOf(this.#config);
    const keys = width * kvHeadsOf(this.#config);
    const turned = width * this.#config.heads + keys;
    const rows = Math.ceil(positions / ROTATIONS_STEP) * ROTATIONS_STEP;
    const columns = turned + keys;
    const table = new Float32Array(rows * columns);
    for (let position = 0; position < rows; position++) {
      const head = headTurns(this.#config, position);
      const row = table.subarray(position * columns, (position + 1) * columns);
      for (let at = 0; at < turned; at += width) row.set(head, at);
      for (let at = turned; at < columns; at += 2) row[at] = 1;
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
