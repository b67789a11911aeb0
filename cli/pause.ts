/** `pause <run>`: no new shard starts; the one under way is finished. */
import { isFinal } from '../schemas/run.ts';
import type { Context } from './parts.ts';
import { steer } from './steer.ts';

export const pause = (context: Context, runId: string): Promise<number> =>
  steer(context, runId, {
    update: 'pause',
    reached: (status) => status === 'paused' || isFinal(status),
    said: {
      reached: `paused; \`./bin/startrail resume ${runId}\` lets it go on`,
      underWay: 'pauses after the shard under way',
    },
  });
