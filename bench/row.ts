/**
 * A row of the benchmark: what is measured under a name, and what comes out.
 *
 *   export default defineRow({
 *     name: 'train-d64',
 *     about: 'one optimizer step, d=64, …',
 *     measure: (context) => compareTraining(…),
 *   });
 *
 * One file per row in `bench/rows/`, listed in `bench/rows/index.ts`. What a row needs and this checkout lacks is told by
 * throwing `NotAvailable` with one sentence: a row is never estimated.
 */
import { z } from 'zod';

const Range = z.tuple([z.number(), z.number()]);

/** Another peer, measured in the same interleaved run. */
const Beside = z.strictObject({
  peerName: z.string(),
  peer: z.number().nullable(),
  ratio: z.number().nullable(),
  /** Lowest and highest ratio of a repetition. */
  spread: Range.nullable(),
  /** Why there is no figure. */
  note: z.string().optional(),
});
export type Beside = z.infer<typeof Beside>;

export const BenchRow = z.strictObject({
  name: z.string(),
  ours: z.number(),
  /** The peer's figure, or the bound that must be kept; null where there is neither. */
  peer: z.number().nullable(),
  peerName: z.string().nullable(),
  /** Above 1 we are ahead (or inside the bound). */
  ratio: z.number().nullable(),
  unit: z.string(),
  /** Lowest and highest value of a repetition. */
  spread: z.strictObject({ ours: Range, peer: Range.nullable(), ratio: Range.nullable() }),
  repetitions: z.int().positive(),
  /** What was measured, in one sentence. */
  about: z.string(),
  beside: z.array(Beside),
  /** Versions and choices of each side. */
  sides: z.record(z.string(), z.record(z.string(), z.union([z.string(), z.number()]))),
  /** Every repetition, in order. */
  samples: z.record(z.string(), z.array(z.number())),
});
export type BenchRow = z.infer<typeof BenchRow>;
export type Measured = Omit<BenchRow, 'name' | 'about'>;

export const Machine = z.strictObject({
  cpu: z.string(),
  cores: z.int(),
  memoryGiB: z.number(),
  /** Runnable processes on average over the last minute when the measurement began: above `cores` the machine was busy. */
  load: z.number(),
  system: z.string(),
  node: z.string(),
  /** Short hash; `+` where the checkout had changes. */
  commit: z.string(),
});
export type Machine = z.infer<typeof Machine>;

/** What `npm run bench -- --json` prints. */
export const BenchDocument = z.strictObject({
  machine: Machine,
  rows: z.array(BenchRow),
  /** Asked for and not measured: why, in a sentence. */
  notAvailable: z.array(z.strictObject({ name: z.string(), reason: z.string() })),
});
export type BenchDocument = z.infer<typeof BenchDocument>;

/** A file in `bench/results/`. */
export const BenchResult = z.strictObject({ measuredAt: z.string(), machine: Machine, row: BenchRow });
export type BenchResult = z.infer<typeof BenchResult>;

export interface BenchContext {
  /** Of each side. */
  threads: number;
  /** At least this many; a row may have a larger number of its own. */
  repetitions: number;
  /** An empty folder, removed afterwards. */
  folder: string;
  /** A run that has ended, for a row that can read one instead of making it. */
  ended?: { home: string; run: string };
  /** A line for the person who waits. */
  say(line: string): void;
}

export interface Row {
  name: string;
  about: string;
  measure(context: BenchContext): Promise<Measured>;
}
export const defineRow = (row: Row): Row => row;

/** This checkout or this machine lacks what the row measures. The message is one sentence. */
export class NotAvailable extends Error {
  override readonly name = 'NotAvailable';
}
