/**
 * The decoder's forward pass for generation: a prompt in one pass, then one token a row and step, with a KV cache.
 *
 *   const decoder = new Decoder(await readCheckpoint(path));
 *   const cache = decoder.openCache(32);
 *   let logits = decoder.prefill(cache, prompts);       // [slots, vocab]
 *   logits = decoder.step(cache, ids);
 *
 * A row's numbers depend on that row alone: the count of slots is fixed for a model, the rows of a batch share one padded
 * prompt length (a function of the row's own), and the cache grows by fixed steps, so that a row meets the same kernels
 * at the same shapes in any company. test/engine/row-independence.test.ts holds this.
 *
 * Prompts are padded on the left and positions count from the padding's start: rotary embeddings see differences of
 * positions only, hence all rows of a batch share one position and the rotation can be folded into the weights.
 *
 * Of note: RMSNorm's gain and 1/√headSize are folded into the products that follow; `InplaceUpdate` writes into the cache
 * without copying it; `BatchMatMulV3` takes Eigen's path, 1.5 times as fast for products this small as the oneDNN one
 * behind V2.
 */
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import { Cache, MASKED } from './cache.ts';
import { count, flag, float, ints, int, Scope, T, tensor, type Handle } from './raw.ts';
import type { NamedTensor } from './safetensors.ts';
import { DecoderWeights } from './weights.ts';

/** Enters the fingerprint: raise it with every change that can move a bit. */
export const DECODER_VERSION = 1;
/** Prompts are padded to a multiple of this. */
export const PROMPT_STEP = 8;
/** Scores of one prefill piece hold at most so many floats. */
const PREFILL_SCORES = 1 << 21;

const MATMUL = [flag('transpose_a', false), flag('transpose_b', false), T];
const PRODUCT = [flag('adj_x', false), flag('adj_y', false), float('Ta'), float('Tb'), float('Tout')];
const PRODUCT_T = [flag('adj_x', false), flag('adj_y', true), float('Ta'), float('Tb'), float('Tout')];
const MEAN = [flag('keep_dims', true), T, int('Tidx')];
const RESHAPE = [T, int('Tshape')];
const GATHER = [count('batch_dims', 0), float('Tparams'), int('Tindices'), int('Taxis')];
const CONCAT = [T, int('Tidx')];
const PERMUTE = [T, int('Tperm')];
const SLICE = [T, int('Index')];

/** Most rows of a batch; enters the fingerprint. */
export const LARGEST_SLOTS = 128;
/** Bytes a row's cache takes at full length. */
export const bytesPerRow = ({ layers, dModel, context }: DecoderConfig): number => 2 * layers * dModel * context * 4;

/** Rows of a batch for a model: fewer where a row's cache is large. A function of the config alone. */
export function slotsFor(config: DecoderConfig): number {
  let slots = LARGEST_SLOTS;
  while (slots > 8 && slots * bytesPerRow(config) > 256e6) slots /= 2;
  return slots;
}

export class Decoder {
  readonly slots: number;
  readonly config: DecoderConfig;
  readonly #weights: DecoderWeights;
  readonly #owned = new Scope();
  readonly #rows: number;
  readonly #headSize: number;
  readonly #shapes;

  constructor(model: { config: DecoderConfig; tensors: Map<string, NamedTensor> }) {
    const { config } = model;
    this.config = config;
    this.slots = slotsFor(config);
    this.#rows = this.slots * config.heads;
    this.#headSize = config.dModel / config.heads;
    this.#weights = new DecoderWeights(config, model.tensors);
    const own = (shape: number[], values: number[]) => this.#owned.own(ints(shape, values));
    this.#shapes = {
      heads: own([3], [this.#rows, 1, this.#headSize]),
      flatHeads: own([2], [this.#rows, this.#headSize]),
      model: own([2], [this.slots, config.dModel]),
      lastAxis: own([1], [1]),
      axis0: own([], [0]),
      axis1: own([], [1]),
      swapTimeHeads: own([4], [0, 2, 1, 3]),
      epsilon: this.#owned.own(tensor([], Float32Array.of(config.normEpsilon))),
      zeros: this.#owned.own(tensor([this.#rows, 1], new Float32Array(this.#rows))),
    };
  }

  /** The padded length of a prompt: a function of its own length alone. */
  paddedLength(promptTokens: number): number {
    return Math.ceil(Math.max(promptTokens, 1) / PROMPT_STEP) * PROMPT_STEP;
  }

  /**
   * Runs the prompts and opens their cache.
   * @param prompts [slots] lists of ids, none longer than `padded`; an empty one stands for an unused slot.
   * @returns the cache and the logits [slots, vocab] after each prompt; the caller frees both.
   */
  prefill(prompts: readonly (readonly number[])[], padded: number, padId: number): { cache: Cache; logits: Handle } {
    const { heads, layers } = this.config;
    let piece = this.slots;
    while (piece > 1 && piece * heads * padded * padded > PREFILL_SCORES) piece /= 2;
    const padding = Int32Array.from(prompts, (prompt) => padded - Math.max(prompt.length, 1));
    const scope = new Scope();
    try {
      const parts: { logits: Handle; keys: Handle[]; values: Handle[] }[] = [];
      for (let at = 0; at < this.slots; at += piece) {
        const ids = new Int32Array(piece * padded).fill(padId);
        for (let row = 0; row < piece; row++)
          ids.set(prompts[at + row]!, (row + 1) * padded - prompts[at + row]!.length);
        parts.push(this.#prefillPiece(scope, ids, padding.subarray(at, at + piece), padded));
      }
      const join = (handles: Handle[]) =>
        handles.length === 1
          ? handles[0]!
          : scope.op('ConcatV2', [count('N', handles.length), ...CONCAT], [...handles, this.#shapes.axis0]);
      const logits = join(parts.map((part) => part.logits));
      const all = Array.from({ length: layers }, (_, layer) => layer);
      const keys = all.map((layer) => join(parts.map((part) => part.keys[layer]!)));
      const values = all.map((layer) => join(parts.map((part) => part.values[layer]!)));
      scope.close(logits, ...keys, ...values);
      return { cache: new Cache(this.config, padding, padded, keys, values), logits };
    } finally {
      scope.close();
    }
  }

  /**
   * One token more for every row.
   * @param ids int32 [slots].
   * @returns logits [slots, vocab]; the caller frees them.
   */
  step(cache: Cache, ids: Handle): Handle {
    const position = cache.length;
    const rows = cache.open();
    const s = this.#shapes;
    const outer = new Scope();
    try {
      const at = outer.own(ints([this.#rows], rows));
      outer.op('InplaceUpdate', [T], [cache.mask.flat, at, s.zeros]);
      const write = (scope: Scope, flat: Handle, part: Handle) =>
        scope.op('InplaceUpdate', [T], [flat, at, scope.op('Reshape', RESHAPE, [part, s.flatHeads])]);
      let x = outer.op('GatherV2', GATHER, [this.#weights.embedding, ids, s.axis0]);
      for (const [index, layer] of this.#weights.layers.entries()) {
        const scope = new Scope();
        const normed = this.#norm(scope, x);
        const keys = cache.keys[index]!;
        const values = cache.values[index]!;
        const [wq, wk] = this.#weights.rotated(scope, index, position);
        write(scope, keys.flat, scope.op('MatMul', MATMUL, [normed, wk]));
        write(scope, values.flat, scope.op('MatMul', MATMUL, [normed, layer.v]));
        const q = scope.op('Reshape', RESHAPE, [scope.op('MatMul', MATMUL, [normed, wq]), s.heads]);
        const scores = scope.op('BatchMatMulV3', PRODUCT_T, [q, keys.whole]);
        const shares = scope.op('Softmax', [T], [scope.op('AddV2', [T], [scores, cache.mask.whole])]);
        const mixed = scope.op('Reshape', RESHAPE, [
          scope.op('BatchMatMulV3', PRODUCT, [shares, values.whole]),
          s.model,
        ]);
        x = this.#finishLayer(scope, x, mixed, index);
        scope.close(x);
        outer.own(x);
      }
      const logits = this.#logits(outer, x);
      outer.close(logits);
      return logits;
    } finally {
      outer.close();
    }
  }

  close(): void {
    this.#owned.close();
    this.#weights.close();
  }

  /** x / rms(x) over the last axis of [rows, dModel]; the gain is in the weights that follow. */
  #norm(scope: Scope, x: Handle): Handle {
    const mean = scope.op('Mean', MEAN, [scope.op('Square', [T], [x]), this.#shapes.lastAxis]);
    const scale = scope.op('Rsqrt', [T], [scope.op('AddV2', [T], [mean, this.#shapes.epsilon])]);
    return scope.op('Mul', [T], [x, scale]);
  }

  #logits(scope: Scope, x: Handle): Handle {
    return scope.op('MatMul', MATMUL, [this.#norm(scope, x), this.#weights.head]);
  }

  /** Attention's output layer and the feed-forward block, each added to the stream. */
  #finishLayer(scope: Scope, x: Handle, mixed: Handle, index: number): Handle {
    const layer = this.#weights.layers[index]!;
    const attended = scope.op('AddV2', [T], [x, scope.op('MatMul', MATMUL, [mixed, layer.o])]);
    const normed = this.#norm(scope, attended);
    const up = scope.op('MatMul', MATMUL, [normed, layer.up]);
    let hidden: Handle;
    if (layer.gate === undefined) hidden = scope.op('Relu', [T], [up]);
    else {
      const gate = scope.op('MatMul', MATMUL, [normed, layer.gate]);
      const silu = scope.op('Mul', [T], [gate, scope.op('Sigmoid', [T], [gate])]);
      hidden = scope.op('Mul', [T], [silu, up]);
    }
    return scope.op('AddV2', [T], [attended, scope.op('MatMul', MATMUL, [hidden, layer.down])]);
  }

  #prefillPiece(
    kept: Scope,
    ids: Int32Array,
    padding: Int32Array,
    time: number,
  ): { logits: Handle; keys: Handle[]; values: Handle[] } {
    const { heads, dModel } = this.config;
    const rows = padding.length;
    const size = this.#headSize;
    const outer = new Scope();
    const causal = new Float32Array(rows * time * time);
    for (let row = 0, at = 0; row < rows; row++)
      for (let query = 0; query < time; query++)
        for (let key = 0; key < time; key++, at++) if (key > query || key < padding[row]!) causal[at] = MASKED;
    const shape = (...sides: number[]) => outer.own(ints([sides.length], sides));
    try {
      const mask = outer.own(tensor([rows, 1, time, time], causal));
      const [split, flat, joined] = [
        shape(rows, time, heads, size),
        shape(rows * time, dModel),
        shape(rows, time, dModel),
      ];
      const cached = shape(rows * heads, time, size);
      const [cos, sin] = this.#weights.rotation(outer, time);
      const keys: Handle[] = [];
      const values: Handle[] = [];
      let x = outer.op('GatherV2', GATHER, [
        this.#weights.embedding,
        outer.own(ints([rows * time], ids)),
        this.#shapes.axis0,
      ]);
      for (const [index, layer] of this.#weights.layers.entries()) {
        const scope = new Scope();
        const normed = this.#norm(scope, x);
        const project = (weight: Handle) => scope.op('MatMul', MATMUL, [normed, weight]);
        const byHead = (y: Handle) =>
          scope.op('Transpose', PERMUTE, [scope.op('Reshape', RESHAPE, [y, split]), this.#shapes.swapTimeHeads]);
        // rotate_half(x W) = x (W turned), so the rotation needs no cutting and joining of heads.
        const rotate = (weight: Handle, turned: Handle) => {
          const straight = scope.op('Mul', [T], [scope.op('Reshape', RESHAPE, [project(weight), joined]), cos]);
          const crossed = scope.op('Mul', [T], [scope.op('Reshape', RESHAPE, [project(turned), joined]), sin]);
          return byHead(scope.op('AddV2', [T], [straight, crossed]));
        };
        const q = rotate(layer.q, layer.qTurned);
        const k = rotate(layer.k, layer.kTurned);
        const v = byHead(project(layer.v));
        const scores = scope.op('AddV2', [T], [scope.op('BatchMatMulV3', PRODUCT_T, [q, k]), mask]);
        const mixed = scope.op('BatchMatMulV3', PRODUCT, [scope.op('Softmax', [T], [scores]), v]);
        const back = scope.op('Transpose', PERMUTE, [mixed, this.#shapes.swapTimeHeads]);
        x = this.#finishLayer(scope, x, scope.op('Reshape', RESHAPE, [back, flat]), index);
        keys.push(kept.op('Reshape', RESHAPE, [k, cached]));
        values.push(kept.op('Reshape', RESHAPE, [v, cached]));
        scope.close(x);
        outer.own(x);
      }
      const begin = shape(0, time - 1, 0);
      const last = outer.op('Slice', SLICE, [outer.op('Reshape', RESHAPE, [x, joined]), begin, shape(rows, 1, dModel)]);
      const logits = kept.own(this.#logits(outer, outer.op('Reshape', RESHAPE, [last, shape(rows, dModel)])));
      outer.close(logits);
      return { logits, keys, values };
    } finally {
      outer.close();
    }
  }
}
