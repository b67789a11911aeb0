/** Sample: a judged rationale of the model's own under its plain prompt, with its reward; what a policy gradient learns from. */
import { z } from 'zod';
import { Example } from './example.ts';

export const Sample = Example.omit({ origin: true }).extend({
  /** 1 = judged right, 0 = judged wrong. What nobody judged has no reward, and is no sample. */
  reward: z.union([z.literal(0), z.literal(1)]),
});
export type Sample = z.infer<typeof Sample>;
