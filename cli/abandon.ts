/** `abandon <run>`: a run that waits after a failure ends as failed. */
import { isFinal } from '../schemas/run.ts';
import type { Context } from './parts.ts';
import { steer } from './steer.ts';

export const abandon = (context: Context, runId: string): Promise<number> =>
  steer(context, runId, {
    update: 'abandon',
    reached: isFinal,
    said: { reached: `abandoned; what is sealed stays (\`./bin/startrail show ${runId}\`)`, underWay: 'will end' },
  });
