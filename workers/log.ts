/**
 * pino for everything the worker and (runtime-log.ts) Temporal's runtime say, one JSON line each, with run, iteration, stage
 * and shard.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { pino } from 'pino';
import type { Logger } from 'pino';

export function createLog(home: string, name: string, level: string): Logger {
  const folder = path.join(home, 'logs');
  mkdirSync(folder, { recursive: true });
  // Synchronous: the last line before a crash is the one that matters.
  return pino({ name, level }, pino.destination({ dest: path.join(folder, `${name}.log`), sync: true }));
}
