import { z } from 'zod';
import { Losses } from './losses.ts';
import { Ranking } from './ranking.ts';

/** What the test texts of an iteration hold besides their answers, means by stratum; each only where somebody counts it. */
export const TextCounts = z.strictObject({
  /** Calls of tools a text. */
  calls: z.record(z.string(), z.number()).optional(),
  /** Steps of a text, and of its problem's gold rationale. */
  stepCounts: z.record(z.string(), z.strictObject({ own: z.number(), gold: z.number() })).optional(),
});
export type TextCounts = z.infer<typeof TextCounts>;

/** What an iteration's record says of held-out problems beside its accuracy. */
export const Measured = TextCounts.extend({ ranking: Ranking.optional(), losses: Losses.optional() });
