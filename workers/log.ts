/** pino for everything the worker and Temporal's runtime say, one JSON line each, with run, iteration, stage and shard. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { Runtime } from '@temporalio/worker';
import type { LogMetadata } from '@temporalio/worker';
import { pino } from 'pino';
import type { Logger } from 'pino';

/** Of lines that a full disk does not take; what comes after them is lost. */
const KEPT_BYTES = 1 << 20;

export function createLog(home: string, name: string, level: string): Logger {
  const folder = path.join(home, 'logs');
  mkdirSync(folder, { recursive: true });
  // Synchronous: the last line before a crash is the one that matters.
  const destination = pino.destination({ dest: path.join(folder, `${name}.log`), sync: true, maxLength: KEPT_BYTES });
  // A full disk must not take down what runs; lines are kept until they can be written.
  destination.on('error', () => undefined);
  return pino({ name, level }, destination);
}

/** Must run before any connection or worker: the runtime takes its logger once. */
export function installRuntimeLog(log: Logger): void {
  const write = (level: 'trace' | 'debug' | 'info' | 'warn' | 'error') => (message: string, meta?: LogMetadata) => {
    // The SDK logs the whole webpack report at INFO.
    if (message.includes('webpack') || message.includes('asset workflow-bundle')) return;
    log[level](plain(meta), message);
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
    telemetryOptions: { logging: { forward: {}, filter: 'WARN' } },
    shutdownSignals: [],
  });
}

/** Metadata without what pino can't write (bigints, the SDK's own symbols). */
const plain = (meta: LogMetadata = {}): object =>
  Object.fromEntries(
    Object.entries(meta).map(([key, value]) => [key, typeof value === 'bigint' ? Number(value) : (value as unknown)]),
  );
