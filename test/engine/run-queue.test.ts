import { spawn, type ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { longestWait, runQueueWaits } from '../../engine/run-queue.ts';
import { onSilence } from '../../engine/silence.ts';

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

describe('the clock of a silence', () => {
  const told = async (pid: number | undefined, limitMs: number, withinMs: number): Promise<number | undefined> => {
    const begun = performance.now();
    let after: number | undefined;
    const stop = onSilence(pid, limitMs, () => (after = performance.now() - begun));
    while (after === undefined && performance.now() - begun < withinMs) await sleep(20);
    stop();
    return after;
  };

  it('is up at the limit for a process that waits for nothing, and never where it is stopped before', async () => {
    const asleep = started(0, 'sleep', '20');
    expect(await told(asleep.pid, 400, 5_000)).toBeGreaterThan(390);
    expect(await told(asleep.pid, 400, 100)).toBeUndefined();
  });

  it.skipIf(process.platform !== 'linux')(
    'is up later for one that stands in the run queue',
    { timeout: 60_000 },
    async () => {
      for (let i = 0; i < 4 * availableParallelism(); i++) started(0, ...LOOP);
      // Not 19: it would get so few turns that none of its waits need be over in the second that is looked at.
      const crowded = started(5, ...LOOP);
      for (let tries = 0; waitOf(crowded) < 1_000 && tries < 200; tries++) await sleep(100);
      expect(await told(crowded.pid, 2_000, 20_000)).toBeGreaterThan(2_300);
    },
  );
});
