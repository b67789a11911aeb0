/**
 * Verdict: correct, incorrect or not judged. There is no fourth way and no number: an outage can't become a zero.
 * Judged = a rationale with its verdict; one line of a verify shard.
 */
import { z } from 'zod';
import { Rationale } from './rationale.ts';

export const Verdict = z.discriminatedUnion('verdict', [
  z.strictObject({ verdict: z.literal('correct') }),
  z.strictObject({ verdict: z.literal('incorrect'), why: z.string() }),
  z.strictObject({ verdict: z.literal('unjudged'), cause: z.string() }),
]);
export type Verdict = z.infer<typeof Verdict>;

export const Judged = z.strictObject({
  rationale: Rationale,
  verdict: Verdict,
  /** Every step right, by the task's step checker; null where the task has none or the row was not judged. */
  sound: z.boolean().nullable(),
  /** 0-based line of the first wrong step; null if none or no checker. */
  firstWrongStep: z.int().nonnegative().nullable(),
});
export type Judged = z.infer<typeof Judged>;

/** The ledger's four words, in order of precedence. */
export const Outcome = z.enum(['accepted-free', 'accepted-hinted', 'unjudged', 'rejected']);
export type Outcome = z.infer<typeof Outcome>;

/** One line of a sealed ledger. Holds nothing that differs between two runs of one seed: no run id, time, host or shard. */
export const LedgerRow = z.strictObject({
  problem: z.string(),
  stratum: z.string(),
  outcome: Outcome,
  samples: z.array(
    z.strictObject({
      hinted: z.boolean(),
      sample: z.int().nonnegative(),
      verdict: z.enum(['correct', 'incorrect', 'unjudged']),
      why: z.string().optional(),
      sound: z.boolean().nullable(),
    }),
  ),
});
export type LedgerRow = z.infer<typeof LedgerRow>;
