/**
 * Problem: one question with the answers that count as right.
 *
 *   { "id": "264+752", "identity": "264+752", "stratum": "3", "data": { "a": 264, "b": 752 }, "gold": ["1016"] }
 *
 * `identity` is what splits are made by: two problems with one identity never stand on different sides of a split (for
 * addition the unordered pair). `id` is unique inside a draw.
 */
import { z } from 'zod';
import { ArtifactRef, Digest } from './artifact.ts';

export const Problem = z.strictObject({
  id: z.string().min(1),
  identity: z.string().min(1),
  /** What accuracy is reported by; for addition the bare digit count, "1" … "5". */
  stratum: z.string().min(1),
  /** Only the task reads it. */
  data: z.record(z.string(), z.unknown()),
  /** Accepted forms of the answer; the first is the one shown as a hint. */
  gold: z.array(z.string()).min(1),
});
export type Problem = z.infer<typeof Problem>;

export const Split = z.enum(['train', 'dev', 'test']);
export type Split = z.infer<typeof Split>;

/** What a run saw of a data root: all its problems, and those that no run that was done had seen. */
export const ProblemSnapshot = z.strictObject({
  root: z.string(),
  newShare: z.number(),
  problems: ArtifactRef,
  fresh: ArtifactRef,
});
export type ProblemSnapshot = z.infer<typeof ProblemSnapshot>;

/** What a run read of published files: the bytes they had, and the problems that were made of them. */
export const DatasetSnapshot = z.strictObject({ files: z.record(z.string(), Digest), problems: ArtifactRef });
export type DatasetSnapshot = z.infer<typeof DatasetSnapshot>;
