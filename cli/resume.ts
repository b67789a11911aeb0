/** `resume <run>`: a paused run goes on. */
import type { Context } from './parts.ts';
import { steer } from './steer.ts';

export const resume = (context: Context, runId: string): Promise<number> =>
  steer(context, runId, {
    update: 'resume',
    reached: (status) => status !== 'paused',
    said: { reached: `goes on; \`./bin/startrail watch ${runId}\` follows it`, underWay: 'will go on' },
  });
