/** Example: one training row. The prompt is always the un-hinted one for what the model wrote itself (invariant I2). */
import { z } from 'zod';
import { CallSpan } from './tools.ts';

export const Example = z.strictObject({
  problem: z.string(),
  identity: z.string(),
  prompt: z.string(),
  completion: z.string(),
  /** Sampled ids, end token included; absent for seed rationales, which are tokenised when trained on. */
  completionTokens: z.array(z.int().nonnegative()).optional(),
  /** Of completionTokens, those that a tool gave: not learnt. */
  calls: z.array(CallSpan).optional(),
  /** `answer` is the gold answer without a rationale, the direct baseline's row. `seed-hinted` is a seed rationale in the hinted prompt form: how the model learns what a hint is. */
  origin: z.enum(['seed', 'seed-hinted', 'free', 'hinted', 'answer']),
});
export type Example = z.infer<typeof Example>;
