/** `retry <run> [--set path=value …]`: the failed iteration again; changes hold for that iteration alone. */
import { isFinal } from '../schemas/run.ts';
import type { Context } from './parts.ts';
import { steer } from './steer.ts';

export const retry = (context: Context, runId: string, options: { set?: [string, unknown][] }): Promise<number> =>
  steer(context, runId, {
    update: 'retryIteration',
    argument: { set: Object.fromEntries(options.set ?? []) },
    reached: (status) => status === 'running' || isFinal(status),
    said: {
      reached: `tries the iteration again; \`./bin/startrail watch ${runId}\` follows it`,
      underWay: 'will try again',
    },
  });
