/**
 * Replay: one sealed iteration of a run once more, as a workflow of its own (`starReplay`, id `<run>/replay-n-k`) that never
 * alters the run. The smallest input is { "run": "addition-star-s1-1", "iteration": 3 }.
 */
import { z } from 'zod';
import { Digest } from './artifact.ts';
import { Comparison, Difference } from './comparison.ts';
import { RunId } from './run.ts';
import { StageCounts } from './stage-counts.ts';

export const ReplayInput = z.strictObject({
  run: RunId,
  /** 0 = the base. */
  iteration: z.int().min(0),
  /** Do all work again, whatever the memo has, and hold every output against what the run recorded. */
  fresh: z.boolean().default(false),
  /** Options of stages to change, over those that were changed for this iteration already. */
  set: z.record(z.string(), z.unknown()).default({}),
});
export type ReplayInput = z.infer<typeof ReplayInput>;

const Digests = z.strictObject({ ledgerDigest: Digest, weightsDigest: Digest });

export const ReplayResult = z.strictObject({
  runId: z.string(),
  replayId: z.string(),
  iteration: z.int(),
  fresh: z.boolean(),
  /** Options that differ from the run's, those of the recorded iteration among them. */
  changed: z.record(z.string(), z.unknown()),
  recorded: Digests,
  replayed: Digests,
  /** All that was compared is equal. */
  same: z.boolean(),
  /** Shards by stage; a stage with a re-done shard counts as re-done. */
  stages: z.record(z.string(), StageCounts),
  reused: z.int().nonnegative(),
  redone: z.int().nonnegative(),
  /** Outputs of shards held against the record; `unknown` = the memo has no record of that shard. With `fresh` alone. */
  compared: Comparison.omit({ first: true }).nullable(),
  /** In the order of the recipe's graph. */
  firstDifference: Difference.nullable(),
});
export type ReplayResult = z.infer<typeof ReplayResult>;
