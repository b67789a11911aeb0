/**
 * The decoder for generation: prompts in one pass, then one token a row and step, with a KV cache.
 *
 *   const decoder = new Decoder(await readCheckpoint(path));
 *   const prefix = decoder.openPrefix(shotIds);
 *   const { cache, result } = decoder.prefill(prompts, padded, padId, 'best', prefix);   // result: int32 [slots]
 *   const next = decoder.step(cache, ids, 'best');
 *
 * A row's numbers depend on that row (and the request's prefix) alone: the rows of a batch share one padded prompt length (a
 * function of the row's own), the cache grows by fixed steps, and a batch has only such counts of slots (`sizes`) as this
 * library gives the same bits at, which is tried when the model is loaded. test/engine/row-independence.test.ts holds this.
 */
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import { Cache, type SharedPrefix } from './cache.ts';
import { HandleKernels } from './handles.ts';
import { Passes, type Wanted } from './passes.ts';
import { headWidthOf, kvHeadsOf } from './parameters.ts';
import { closePrefix, openPrefix } from './prefix.ts';
import { free, read, type Handle } from './raw.ts';
import type { NamedTensor } from './safetensors.ts';
import { SIZES, soundSizes } from './sizes.ts';
import { DecoderWeights } from './weights.ts';

/** Enters the fingerprint: raise it with every change that can move a bit. */
export const DECODER_VERSION = 4;
/** Prompts are padded to a multiple of this. */
export const PROMPT_STEP = 8;
/** Tokens of one piece of a prefill, and floats of its scores. */
const PREFILL_TOKENS = 2048;
const PREFILL_SCORES = 1 << 22;
/** Floats of its logits, where those of every token are made. */
const PREFILL_LOGITS = 1 << 25;

export { LARGEST_SLOTS } from './sizes.ts';

/** Bytes a position of a row's cache takes. */
export const bytesPerPosition = (config: DecoderConfig): number =>
  2 * config.layers * kvHeadsOf(config) * headWidthOf(config) * 4;

export class Decoder {
  readonly config: DecoderConfig;
  /** Counts of slots a batch may have, ascending. */
  readonly sizes: readonly number[];
  readonly kernels = new HandleKernels();
  readonly #weights: DecoderWeights;
  readonly #passes: Passes;

  /** @param onWork hears of what takes long, so that silence means a hang. */
  constructor(
    model: { config: DecoderConfig; tensors: ReadonlyMap<string, NamedTensor> },
    onWork: () => void = () => undefined,
  ) {
    this.config = model.config;
    this.#weights = new DecoderWeights(model.config, model.tensors);
    onWork();
    const { sizes, mode } = soundSizes(model.config, this.#weights, this.kernels, onWork);
    this.sizes = sizes;
    this.#passes = new Passes(model.config, this.#weights, this.kernels, mode);
  }

  /** The padded length of a prompt: a function of its own length alone. */
  paddedLength(promptTokens: number): number {
    return Math.ceil(Math.max(promptTokens, 1) / PROMPT_STEP) * PROMPT_STEP;
  }

  /** Keys and values of tokens that stand before every prompt; the caller gives them to `closePrefix`. */
  openPrefix(ids: readonly number[]): SharedPrefix {
    return openPrefix(this.kernels, this.config, this.#passes, ids);
  }

  closePrefix(prefix: SharedPrefix): void {
    closePrefix(prefix);
  }

  /**
   * Runs the prompts and opens their cache.
   * @param prompts as many lists of ids as one of `sizes`, none longer than `padded`; an empty one stands for an unused slot.
   * @returns the cache and what is wanted after each prompt; the caller frees both.
   */
  prefill(
    prompts: readonly (readonly number[])[],
    padded: number,
    padId: number,
    wanted: Wanted,
    prefix?: SharedPrefix,
  ): { cache: Cache; result: Handle } {
    const piece = this.#pieceOf(padded, prefix?.length ?? 0);
    const caches: Cache[] = [];
    const results: Handle[] = [];
    for (let at = 0; at < prompts.length; at += piece) {
      const part = prompts.slice(at, at + piece);
      const ids = new Int32Array(part.length * padded).fill(padId);
      for (const [row, prompt] of part.entries()) ids.set(prompt, (row + 1) * padded - prompt.length);
      const padding = Int32Array.from(part, (prompt) => padded - Math.max(prompt.length, 1));
      const cache = Cache.open(this.kernels, this.config, padding, padded, prefix);
      caches.push(cache);
      results.push(this.#passes.run(cache, ids, wanted));
    }
    if (results.length === 1) return { cache: caches[0]!, result: results[0]! };
    const result = wanted === 'best' ? this.kernels.concatInts(results) : this.kernels.concat(results);
    this.kernels.release(result);
    free(...results);
    return { cache: Cache.join(this.kernels, caches), result };
  }

  /**
   * What the next token of each position costs, −log p, in rows that are known whole.
   * @param rows ids of as many rows as `costsAtOnce(padded)`, each of at most `padded` + 1; an empty one stands for an unused slot.
   * @returns [rows, padded]: row r's costs of its tokens 1, 2, … stand at the end of its line.
   */
  costs(rows: readonly (readonly number[])[], padded: number, padId: number): Float32Array {
    const ids = new Int32Array(rows.length * padded).fill(padId);
    const next = new Int32Array(rows.length * padded);
    for (const [row, tokens] of rows.entries()) {
      const inputs = tokens.slice(0, -1);
      ids.set(inputs, (row + 1) * padded - inputs.length);
      next.set(tokens.slice(1), (row + 1) * padded - inputs.length);
    }
    const padding = Int32Array.from(rows, ({ length }) => padded - Math.max(length - 1, 1));
    const cache = Cache.open(this.kernels, this.config, padding, padded);
    try {
      const logits = this.kernels.own(this.#passes.run(cache, ids, 'logits', 'every'));
      const [costs] = this.kernels.crossEntropy(logits, this.kernels.vector(next), this.config.vocabSize);
      return (read(costs) as Float32Array).slice();
    } finally {
      this.kernels.release();
      cache.close();
    }
  }

  /**
   * What a reward model's head gives behind each row's last token. Its products are added up here, in float64 and in their order.
   * @param rows ids of as many rows as `rewardsAtOnce(padded)`, each of at most `padded`; an empty one stands for an unused slot.
   * @returns [rows]
   */
  rewards(rows: readonly (readonly number[])[], padded: number, padId: number): Float64Array {
    const { weights, bias } = this.#weights.reward!;
    const { cache, result } = this.prefill(rows, padded, padId, 'normed');
    cache.close();
    const normed = read(result) as Float32Array;
    const found = Float64Array.from(rows, (_, row) => {
      let sum = bias;
      for (const [i, weight] of weights.entries()) sum += weight * normed[row * weights.length + i]!;
      return sum;
    });
    free(result);
    return found;
  }

  /** How many rows `costs` takes: of their padded length alone, as in a prefill. */
  costsAtOnce(padded: number): number {
    return this.#pieceOf(padded, 0, this.config.vocabSize);
  }

  /** The same of `rewards`. */
  rewardsAtOnce(padded: number): number {
    return this.#pieceOf(padded, 0);
  }

  /**
   * Slots of a prefill's pieces: of lengths alone, so that a row is in a piece of the same count in every company.
   * @param logits floats that are made for each token.
   */
  #pieceOf(padded: number, before: number, logits = 0): number {
    const scores = this.config.heads * padded * (padded + before);
    const fits = (slots: number) =>
      slots * padded <= PREFILL_TOKENS && slots * scores <= PREFILL_SCORES && slots * padded * logits <= PREFILL_LOGITS;
    // Where a tried size is not sound, none untried is: one slot at a time then.
    if (this.sizes.length < SIZES.length) return this.sizes.findLast(fits) ?? 1;
    let piece: number = SIZES.at(-1)!;
    while (piece > 1 && !fits(piece)) piece /= 2;
    return piece;
  }

  /** One token more for every slot: `ids` [slots]; the caller frees what comes back. */
  step(cache: Cache, ids: Int32Array, wanted: Wanted): Handle {
    if (cache.full) cache.grow(this.kernels);
    return this.#passes.run(cache, ids, wanted);
  }

  close(): void {
    this.#passes.close();
    this.kernels.close();
    this.#weights.close();
  }
}
