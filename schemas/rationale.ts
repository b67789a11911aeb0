/** Rationale: one sampled completion for one problem, before anybody has judged it. One line of a generate shard. */
import { z } from 'zod';
import { Problem } from './problem.ts';
import { CallSpan } from './tools.ts';

export const Rationale = z.strictObject({
  problem: Problem,
  /** 0-based sample number of this problem in this stage. */
  sample: z.int().nonnegative(),
  /** The prompt showed the answer (rationalization). */
  hinted: z.boolean(),
  text: z.string(),
  /** As sampled, end token included: training never re-tokenises. */
  tokens: z.array(z.int().nonnegative()),
  /** `overflow`: did not fit the context; `failed`: the engine gave nothing for this row. Both end as unjudged. */
  finish: z.enum(['stop', 'length', 'overflow', 'failed']),
  cause: z.string().optional(),
  /** Which tokens a tool gave; absent where none was called. */
  calls: z.array(CallSpan).optional(),
});
export type Rationale = z.infer<typeof Rationale>;
