/** Shards of a stage: answered by the memo, and done. */
import { z } from 'zod';

export const StageCounts = z.strictObject({ reused: z.int().nonnegative(), redone: z.int().nonnegative() });
export type StageCounts = z.infer<typeof StageCounts>;

/** Shards by whether the memo had them, those that a fan-out has joined into one output among them. Pure. */
export function countShards(outputs: { reused: boolean; joined?: StageCounts }[]): StageCounts {
  const counts = { reused: 0, redone: 0 };
  for (const { reused, joined } of outputs) {
    counts.reused += joined?.reused ?? Number(reused);
    counts.redone += joined?.redone ?? Number(!reused);
  }
  return counts;
}
