/** `stop <run> [--now]`: ends after the shard under way, or at once, leaving the iteration unsealed. */
import { isFinal } from '../schemas/run.ts';
import type { Context } from './parts.ts';
import { steer } from './steer.ts';

export const stop = (context: Context, runId: string, options: { now?: boolean }): Promise<number> =>
  steer(context, runId, {
    update: 'stop',
    argument: { now: options.now === true },
    reached: isFinal,
    said: {
      reached: `stopped; what is sealed stays (\`./bin/startrail show ${runId}\`)`,
      underWay: 'stops after the shard under way',
    },
    terminateIfStuck: options.now === true,
  });
