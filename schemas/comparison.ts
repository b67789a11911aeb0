/**
 * Comparison: what a fresh replay found when it held outputs against the recorded ones. Of one shard, or added up over many.
 *
 *   addComparisons([{ equal: 1, different: 0, unknown: 0, first: null }, …])   // first = the first difference in this order
 */
import { z } from 'zod';

/** Two outputs that should be equal. */
export const Difference = z.strictObject({
  /** Stage and port, or what of the sealed iteration. */
  what: z.string(),
  shard: z.int().nullable(),
  recorded: z.string(),
  replayed: z.string(),
});
export type Difference = z.infer<typeof Difference>;

export const Comparison = z.strictObject({
  equal: z.int().nonnegative(),
  different: z.int().nonnegative(),
  /** The memo holds no record of these shards. */
  unknown: z.int().nonnegative(),
  first: Difference.nullable(),
});
export type Comparison = z.infer<typeof Comparison>;

/** Of shards that were not compared there is nothing to add. Pure. */
export function addComparisons(all: (Comparison | undefined)[]): Comparison {
  const sum: Comparison = { equal: 0, different: 0, unknown: 0, first: null };
  for (const one of all) {
    sum.equal += one?.equal ?? 0;
    sum.different += one?.different ?? 0;
    sum.unknown += one?.unknown ?? 0;
    sum.first ??= one?.first ?? null;
  }
  return sum;
}
