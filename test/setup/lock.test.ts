import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isStale, noteWorker, waitForWorker, withLock } from '../../scripts/setup/lock.mjs';

const lockModule = pathToFileURL(join(import.meta.dirname, '../../scripts/setup/lock.mjs')).href;
let folder: string;
let lock: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lock-'));
  lock = join(folder, 'x.lock');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The id of a process that has just ended. */
const deadPid = () => Number(spawnSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' }).stdout);
const owner = (fields: object) => JSON.stringify({ host: hostname(), id: 'someone', ...fields });

describe('a worker that outlives its set-up', () => {
  it('is waited for, so that two never write to one place', async () => {
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 400)']);
    noteWorker(lock, child.pid ?? 0);
    const told: string[] = [];
    await waitForWorker(lock, { pollMs: 20, onWait: (what: string) => void told.push(what) });
    expect(child.exitCode).toBe(0);
    expect(told).toHaveLength(1);
  });

  it('that hangs is named after the time is up', async () => {
    noteWorker(lock, process.pid);
    await expect(waitForWorker(lock, { waitMs: 50, pollMs: 10 })).rejects.toThrow(`process ${process.pid}, left by`);
  });

  it('that never was is not waited for', () => waitForWorker(lock));
});

describe('the lock', () => {
  it('is taken over from an owner that died', async () => {
    writeFileSync(lock, owner({ pid: deadPid() }));
    expect(await withLock(lock, async () => 'done')).toBe('done');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('knows an owner by its start time too, since process ids are used again', () => {
    if (process.platform !== 'linux') return; // start times are known on Linux only
    expect(isStale(owner({ pid: process.pid, ticks: '1' }))).toBe(true);
    expect(isStale(owner({ pid: process.pid }))).toBe(false);
  });

  it('is never taken from an owner on another machine', () => {
    expect(isStale(JSON.stringify({ host: 'elsewhere', pid: deadPid() }))).toBe(false);
  });

  it('is taken over when its file is damaged', async () => {
    writeFileSync(lock, '');
    expect(await withLock(lock, async () => 'done')).toBe('done');
  });

  it('gives up on a living owner with a sentence that names it and the cure', async () => {
    writeFileSync(lock, owner({ pid: process.pid }));
    const waited: string[] = [];
    const attempt = withLock(lock, async () => 'done', { waitMs: 200, pollMs: 20, onWait: (who) => waited.push(who) });
    await expect(attempt).rejects.toThrow(`process ${process.pid} on ${hostname()}`);
    expect(waited).toHaveLength(1);
    expect(existsSync(lock)).toBe(true);
  });

  it('is released when the work fails', async () => {
    await expect(withLock(lock, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(existsSync(lock)).toBe(false);
  });

  it('lets one process in at a time, also where all find the same dead owner', async () => {
    writeFileSync(lock, owner({ pid: deadPid() }));
    const diary = join(folder, 'diary');
    const script = `
      import { appendFileSync } from 'node:fs';
      import { setTimeout as sleep } from 'node:timers/promises';
      import { withLock } from ${JSON.stringify(lockModule)};
      for (let n = 0; n < 5; n += 1) await withLock(process.argv[1], async () => {
        appendFileSync(process.argv[2], 'in ');
        await sleep(3);
        appendFileSync(process.argv[2], 'out\\n');
      }, { pollMs: 2 });`;
    const codes = await Promise.all(
      Array.from(
        { length: 4 },
        () =>
          new Promise((resolve) => {
            const args = ['--input-type=module', '-e', script, lock, diary];
            spawn(process.execPath, args, { stdio: 'inherit' }).once('exit', resolve);
          }),
      ),
    );
    expect(codes).toEqual([0, 0, 0, 0]);
    expect(readFileSync(diary, 'utf8')).toBe('in out\n'.repeat(20));
  });
});
