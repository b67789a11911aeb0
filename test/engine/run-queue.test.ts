import { spawn, type ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { longestWait, runQueueWaits } from '../../engine/run-queue.ts';

const children: ChildProcess[] = [];
const started = (niceness: number, ...command: string[]): ChildProcess => {
  const child = spawn('nice', ['-n', String(niceness), ...command], { stdio: 'ignore' });
  children.push(child);
  return child;
};
const LOOP = [process.execPath, '-e', 'const end = Date.now() + 20_000; while (Date.now() < end);'];
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const waitOf = ({ pid }: ChildProcess) => longestWait(new Map(), runQueueWaits(pid));
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

describe.skipIf(process.platform !== 'linux')('what a process waits for a processor', () => {
  it('is much where others take all of them, and its own sleep is none of it', { timeout: 40_000 }, async () => {
    for (let i = 0; i < 2 * availableParallelism(); i++) started(0, ...LOOP);
    const crowded = started(19, ...LOOP);
    const asleep = started(19, 'sleep', '20');
    // A wait is counted when it is over, so a thread that never gets its turn shows nothing yet.
    for (let tries = 0; waitOf(crowded) < 700 && tries < 200; tries++) await sleep(100);
    expect(waitOf(crowded)).toBeGreaterThan(700);
    expect(waitOf(asleep)).toBeLessThan(waitOf(crowded) / 2);
  });

  it('of a process that is not there is nothing', () => {
    expect(longestWait(runQueueWaits(undefined), runQueueWaits(2 ** 30))).toBe(0);
  });
});
