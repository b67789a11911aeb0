/**
 * Which counts of slots a batch may have for a model: those at which this library gives a row the same bits.
 *
 * A library may sum a product in another order where it has more rows. Whether it does depends on its version, the
 * instruction set and the threads, so it is tried: the first layer and the output layer run a prompt and a step at each
 * size, and a size whose numbers differ from the reference's is not used. The order of a sum does not depend on the
 * numbers, hence random ones show it. Seen so far (TensorFlow 2.18.1, AVX-512, one and two threads): all sizes agree.
 */
import { Buffer } from 'node:buffer';
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import { Cache } from './cache.ts';
import type { HandleKernels } from './handles.ts';
import { graphsWanted } from './native.ts';
import { Passes } from './passes.ts';
import { closePrefix, openPrefix } from './prefix.ts';
import { free, read } from './raw.ts';
import type { DecoderWeights } from './weights.ts';

/** Counts of slots that are tried, ascending. */
export const SIZES = [8, 16, 24, 32, 48, 64, 96, 128] as const;
/** Most rows of a batch; enters the fingerprint. */
export const LARGEST_SLOTS = SIZES.at(-1)!;
/** The size the others are held against: not so small that nothing else agrees, not so large that single rows cost much. */
const REFERENCE = 32;
const PROMPT = 8;
// Odd: where a width is no multiple of a vector, sums are most likely to change with the rows.
const PREFIX = 37;

/** Also finds out whether the library takes a recorded graph: `mode`. */
export function soundSizes(
  config: DecoderConfig,
  weights: DecoderWeights,
  kernels: HandleKernels,
): { sizes: number[]; mode: 'graph' | 'eager' } {
  const first = { ...config, layers: 1 };
  for (const mode of graphsWanted ? (['graph', 'eager'] as const) : (['eager'] as const)) {
    const passes = new Passes(first, weights, kernels, mode);
    try {
      const expected = trace(first, passes, kernels, REFERENCE);
      const agrees = (size: number) =>
        trace(first, passes, kernels, size).every((row, slot) => row.equals(expected[slot % REFERENCE]!));
      const sizes = SIZES.filter((size) => size === REFERENCE || agrees(size));
      return { sizes, mode };
    } catch (error) {
      if (mode === 'eager') throw error;
    } finally {
      passes.close();
    }
  }
  throw new Error('unreachable');
}

/** The bits of each slot's logits after a prompt and a step, with a shared prefix and without. */
function trace(config: DecoderConfig, passes: Passes, kernels: HandleKernels, slots: number): Buffer[] {
  const token = (slot: number, t: number) => ((slot % REFERENCE) * 7 + t * 13 + 1) % config.vocabSize;
  const padding = Int32Array.from({ length: slots }, (_, slot) => slot % PROMPT);
  const prompts = Int32Array.from({ length: slots * PROMPT }, (_, n) => token(Math.floor(n / PROMPT), n % PROMPT));
  const next = Int32Array.from({ length: slots }, (_, slot) => token(slot, PROMPT));
  const seen: Uint8Array[] = [];
  const look = (handle: number) => {
    const values = read(handle) as Float32Array;
    seen.push(new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice());
    free(handle);
  };
  const shared = openPrefix(
    kernels,
    config,
    passes,
    Array.from({ length: PREFIX }, (_, t) => token(3, t)),
  );
  for (const prefix of [undefined, shared]) {
    const cache = Cache.open(kernels, config, padding, PROMPT, prefix);
    look(passes.run(cache, prompts, 'logits'));
    cache.grow(kernels);
    look(passes.run(cache, next, 'logits'));
    cache.close();
  }
  closePrefix(shared);
  const bytes = config.vocabSize * 4;
  return Array.from({ length: slots }, (_, slot) =>
    Buffer.concat(seen.map((values) => values.subarray(slot * bytes, (slot + 1) * bytes))),
  );
}
