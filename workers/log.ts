/**
 * pino for everything the worker and (runtime-log.ts) Temporal's runtime say, one JSON line each, with run, iteration, stage
 * and shard.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
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
