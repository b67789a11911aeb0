/**
 * What flows through the ports of stages, as it stands in a history: references and counts, never rows.
 *
 *   { shards: [{ digest: 'sha256:…', bytes: 5120, rows: 50 }], from: 0, to: 50 }      // a Slice
 */
import { z } from 'zod';
import { ArtifactRef, Digest } from './artifact.ts';
import { DecoderConfig, TokenizerSpec } from './checkpoint.ts';

/** Rows of a port: the concatenation of its shards, in order. */
export const Rows = z.strictObject({ shards: z.array(ArtifactRef), rows: z.int().nonnegative() });
export type Rows = z.infer<typeof Rows>;

/** A part of Rows: rows [from, to) of the concatenation of these shards. */
export const Slice = Rows.pick({ shards: true }).extend({ from: z.int().nonnegative(), to: z.int().nonnegative() });
export type Slice = z.infer<typeof Slice>;

/** Rows that an iteration hands to the next, beside its model: there `$kept`, `$pairs` and `$queue`. */
export const CarriedRows = z.strictObject({ kept: Rows.optional(), pairs: Rows.optional(), queue: Rows.optional() });
export type CarriedRows = z.infer<typeof CarriedRows>;
export const CARRIED = CarriedRows.keyof().options;

/** Those there are, and nothing else of the object. Pure. */
export const carriedIn = (of: CarriedRows = {}): CarriedRows =>
  Object.fromEntries(CARRIED.flatMap((what) => (of[what] === undefined ? [] : [[what, of[what]]])));

/** An untrained model. */
export const FreshModel = z.strictObject({ fresh: DecoderConfig, tokenizer: TokenizerSpec });
export type FreshModel = z.infer<typeof FreshModel>;

/** A model that workers declare: its name, the digest over its files, and the shape they describe. */
export const PretrainedModel = z.strictObject({ pretrained: z.string(), files: Digest, config: DecoderConfig });
export type PretrainedModel = z.infer<typeof PretrainedModel>;

/** The shape of a run's base, whatever it is made of. */
export const shapeOf = (base: FreshModel | PretrainedModel): DecoderConfig =>
  'fresh' in base ? base.fresh : base.config;

export const Tally = z.strictObject({
  correct: z.int().nonnegative(),
  judged: z.int().nonnegative(),
  unjudged: z.int().nonnegative(),
  /** Calls of tools in the judged texts; only where the stage names tools. */
  calls: z.int().nonnegative().optional(),
  /** Steps of the judged texts, and of the gold rationales of the same problems; only where the task counts steps. */
  steps: z.strictObject({ own: z.int().nonnegative(), gold: z.int().nonnegative() }).optional(),
});
export type Tally = z.infer<typeof Tally>;

/** One shard of an evaluation: its judged rows, and the counts by stratum. */
export const ScoreShard = z.strictObject({
  split: z.enum(['dev', 'test']),
  judged: ArtifactRef,
  byStratum: z.record(z.string(), Tally),
});
export type ScoreShard = z.infer<typeof ScoreShard>;
