import { z } from 'zod';

/** What the test texts of an iteration hold besides their answers, means by stratum; each only where somebody counts it. */
export const TextCounts = z.strictObject({
  /** Calls of tools a text. */
  calls: z.record(z.string(), z.number()).optional(),
  /** Steps of a text, and of its problem's gold rationale. */
  stepCounts: z.record(z.string(), z.strictObject({ own: z.number(), gold: z.number() })).optional(),
});
export type TextCounts = z.infer<typeof TextCounts>;
