/** What Temporal's runtime says goes into the worker's log. */
import { Runtime } from '@temporalio/worker';
import type { LogMetadata } from '@temporalio/worker';
import type { Logger } from 'pino';

/** Must run before any connection or worker: the runtime takes its logger once. */
export function installRuntimeLog(log: Logger, metrics?: string): void {
  const write = (level: 'trace' | 'debug' | 'info' | 'warn' | 'error') => (message: string, meta?: LogMetadata) => {
    // The SDK logs the whole webpack report at INFO.
    if (message.includes('webpack') || message.includes('asset workflow-bundle')) return;
    log[level]({ ...placeOf(meta), ...plain(meta) }, message);
  };
  Runtime.install({
    logger: {
      log: (level, message, meta) => write(level.toLowerCase() as 'info')(message, meta),
      trace: write('trace'),
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
    },
    telemetryOptions: {
      logging: { forward: {}, filter: 'WARN' },
      ...(metrics !== undefined && { metrics: { prometheus: { bindAddress: metrics, countersTotalSuffix: true } } }),
    },
    shutdownSignals: [],
  });
}

/** Run and iteration, which ids of workflows tell: `night-3/iteration-002/free`. */
export function placeOf({ workflowId }: LogMetadata = {}): { run?: string; iteration?: number } {
  if (typeof workflowId !== 'string') return {};
  const [, run = '', iteration] = /^([^/]+)(?:\/iteration-(\d+))?/.exec(workflowId) ?? [];
  return { run, ...(iteration !== undefined && { iteration: Number(iteration) }) };
}

/** Metadata without what pino can't write (bigints, the SDK's own symbols). */
const plain = (meta: LogMetadata = {}): object =>
  Object.fromEntries(
    Object.entries(meta).map(([key, value]) => [key, typeof value === 'bigint' ? Number(value) : (value as unknown)]),
  );
