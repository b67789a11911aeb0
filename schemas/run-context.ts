/** What every shard of a run has in common, as it stands in history. */
import { z } from 'zod';
import { Digest } from './artifact.ts';
import { DatasetSnapshot, ProblemSnapshot } from './problem.ts';

/** What is the same in every stage of a run; pinned by `resolve`. Ids of run and recipe are for people and enter no key, no byte. */
export const RunContext = z.strictObject({
  runId: z.string(),
  recipe: z.string().optional(),
  seed: z.int(),
  task: z.string(),
  parameters: z.record(z.string(), z.unknown()),
  engine: z.string(),
  fingerprint: z.string(),
  deterministic: z.boolean(),
  /** The gate's identities (tasks/gate.ts) are kept from draws and seeds. */
  gate: z.literal(true).optional(),
  /** At most so many problems of a held-out split; absent = all the task has. */
  heldOut: z.strictObject({ dev: z.int().optional(), test: z.int().optional() }).optional(),
  /** Snapshot of a problem source, and what of it is new, or of the task's published files; else its own problems are drawn. */
  source: ProblemSnapshot.optional(),
  dataset: DatasetSnapshot.optional(),
  /** Content of the task's and its verifiers' files, and versions of outside verifiers. */
  implementation: Digest,
  /** A fresh replay: the memo is not asked and learns nothing; outputs are held against this run's at this attempt. */
  fresh: z.strictObject({ runId: z.string(), attempt: z.int().min(1) }).optional(),
});
export type RunContext = z.infer<typeof RunContext>;
