/** The worker's log where the disk is full. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { createLog } from '../../workers/log.ts';

/** A device of Linux on which every write fails with ENOSPC. */
const FULL = '/dev/full';
const home = mkdtempSync(path.join(os.tmpdir(), 'startrail-log-'));
afterEach(() => rmSync(home, { recursive: true, force: true }));

it.skipIf(!existsSync(FULL))('lines that find no space take nobody down', () => {
  mkdirSync(path.join(home, 'logs'));
  symlinkSync(FULL, path.join(home, 'logs', 'worker.log'));
  const log = createLog(home, 'worker', 'info');
  for (let n = 0; n < 3; n++)
    expect(() => {
      log.info({ n }, 'shard done');
    }).not.toThrow();
});
