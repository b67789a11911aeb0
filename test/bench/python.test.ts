import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { python, venvFolder, withLock } from '../../bench/python.ts';

const temporary = () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'startrail-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};
const set = (name: string, value: string) => {
  const before = process.env[name];
  process.env[name] = value;
  onTestFinished(() => {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  });
};

describe('Python of the bench', () => {
  it('lies in the cache that XDG names, never in a relative folder', () => {
    expect(venvFolder({ XDG_CACHE_HOME: '/c' })).toBe(path.join('/c', 'startrail-bench-venv'));
    expect(venvFolder({ XDG_CACHE_HOME: 'c' })).toBe(path.join(os.homedir(), '.cache', 'startrail-bench-venv'));
  });

  it('that is missing is told with the cure, and leaves neither environment nor lock', async () => {
    const cache = temporary();
    set('XDG_CACHE_HOME', cache);
    set('STARTRAIL_BENCH_PYTHON', 'no-such-python');
    await expect(python(() => undefined)).rejects.toThrow(/no-such-python -m venv.*apt install python3 python3-venv/s);
    expect(existsSync(path.join(cache, 'startrail-bench-venv'))).toBe(false);
    expect(existsSync(path.join(cache, 'startrail-bench-venv.lock'))).toBe(false);
  });

  it('is made by one bench at a time', async () => {
    const lock = path.join(temporary(), 'lock');
    let inside = 0;
    const work = async () => {
      expect(++inside).toBe(1);
      await new Promise((done) => setTimeout(done, 50));
      inside--;
    };
    await Promise.all([withLock(lock, () => undefined, work), withLock(lock, () => undefined, work)]);
    expect(existsSync(lock)).toBe(false);
  });

  it('is not waited for forever: the lock of a bench that was killed is taken over', async () => {
    const lock = path.join(temporary(), 'lock');
    mkdirSync(lock);
    utimesSync(lock, new Date(0), new Date(0));
    expect(
      await withLock(
        lock,
        () => undefined,
        async () => 'done',
      ),
    ).toBe('done');
  });
});
