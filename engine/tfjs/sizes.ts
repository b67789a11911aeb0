/**
 * Which counts of slots a batch may have for a model: those at which this library gives a row the same bits.
 *
 * A library may sum a product in another order where it has more rows, and in the last rows where those fill no block of
 * its own. Whether it does depends on its version, the instruction set and the threads, so it is tried: the first layer and
 * the output layer run a prompt and a step at each size, with a few different rows in turn over the slots. A size is used
 * where equal rows get equal bits in every slot, and the bits of the reference. The order of a sum does not depend on the
 * numbers, hence random ones show it. Seen so far (TensorFlow 2.18.1): with AVX-512, one and two threads, all sizes agree;
 * with AVX2 and two threads those that are multiples of 6.
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
/** What the others are held against, best first: not so small that nothing agrees, not so large that single rows cost much. */
const REFERENCES = [32, 24, 48, 16, 64, 8, 96, 128] as const satisfies readonly (typeof SIZES)[number][];
/** Different rows of a trial; no divisor of a block, so that each stands everywhere in one. */
const KINDS = 5;
const PROMPT = 8;
// Odd: where a width is no multiple of a vector, sums are most likely to change with the rows.
const PREFIX = 37;

/** Also finds out whether the library takes a recorded graph: `mode`. */
export function soundSizes(
  config: DecoderConfig,
  weights: DecoderWeights,
  kernels: HandleKernels,
  /** Hears before each trial: of a large model it takes seconds. */
  onTrial: () => void,
): { sizes: number[]; mode: 'graph' | 'eager' } {
  const first = { ...config, layers: 1 };
  for (const mode of graphsWanted ? (['graph', 'eager'] as const) : (['eager'] as const)) {
    const passes = new Passes(first, weights, kernels, mode);
    try {
      return {
        sizes: agreeing((size) => {
          onTrial();
          return trace(first, passes, kernels, size);
        }),
        mode,
      };
    } catch (error) {
      if (mode === 'eager') throw error;
    } finally {
      passes.close();
    }
  }
  throw new Error('unreachable');
}

/** The sizes at which a row's bits are its own; the first reference where no size is so. */
export function agreeing(trial: (size: number) => Buffer[]): number[] {
  const sound = new Map<number, Buffer[]>();
  for (const size of SIZES) {
    const rows = trial(size);
    if (rows.every((row, slot) => row.equals(rows[slot % KINDS]!))) sound.set(size, rows.slice(0, KINDS));
  }
  const reference = REFERENCES.find((size) => sound.has(size));
  if (reference === undefined) return [REFERENCES[0]];
  const expected = sound.get(reference)!;
  return SIZES.filter((size) => sound.get(size)?.every((row, kind) => row.equals(expected[kind]!)));
}

/** The bits of each slot's logits after a prompt and a step, with a shared prefix and without. */
function trace(config: DecoderConfig, passes: Passes, kernels: HandleKernels, slots: number): Buffer[] {
  const token = (slot: number, t: number) => ((slot % KINDS) * 7 + t * 13 + 1) % config.vocabSize;
  const padding = Int32Array.from({ length: slots }, (_, slot) => slot % KINDS);
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
