/**
 * Stage kinds for text that is learnt as it stands, not judged: how it is learnt, and what it then costs by kind of token.
 *
 *   next:   { use: 'think', in: { problems: 'batch', from: '$base' }, with: { thoughts: 'sampled' } }
 *   losses: { use: 'perplexity', in: { model: 'next', test: '$test' } }
 */
import { z } from 'zod';
import { thinkOptions } from './stage-options.ts';

export const TEXT_STAGES = {
  think: {
    version: 1,
    inputs: { problems: { type: 'problems' }, from: { type: 'model' } },
    outputs: { model: 'model' },
    main: 'model',
    queue: 'train',
    options: z.strictObject(thinkOptions),
  },
  perplexity: {
    version: 1,
    inputs: { model: { type: 'model' }, test: { type: 'test' } },
    outputs: { losses: 'losses' },
    main: 'losses',
    shardBy: ['test'] as string[],
    queue: 'sample',
    options: z.strictObject({}),
  },
} as const;
