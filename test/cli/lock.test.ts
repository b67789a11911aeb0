import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { acquire, currentOwner, tryClaim } from '../../cli/lock.ts';
import { endProcess, identityOf, isAlive } from '../../cli/process-identity.ts';
import { cleanUp, start, until } from './fixture/process.ts';

let folder: string;
beforeEach(() => (folder = path.join(mkdtempSync(path.join(os.tmpdir(), 'startrail-lock-')), 'lock')));
afterEach(() => {
  rmSync(path.dirname(folder), { recursive: true, force: true });
});
afterAll(cleanUp);

const taker = (at = 0, step = 0, folders = [folder]) => start('taker.ts', [String(at), String(step), ...folders]);
const said = (each: ReturnType<typeof taker>) => until('a word of the taker', 30_000, () => each.out().trim());

describe('one owner of a home', () => {
  test('a living owner keeps others out, a released lock lets them in', () => {
    const lock = acquire(folder);
    expect(lock).toBeDefined();
    expect(currentOwner(folder)?.pid).toBe(process.pid);
    expect(acquire(folder)).toBeUndefined();
    lock?.release();
    expect(currentOwner(folder)).toBeUndefined();
    expect(acquire(folder)?.n).toBe(2);
  });

  // Many homes, because one race alone seldom meets the gap between looking and taking.
  test('a dead owner is followed by exactly one of five takers', async () => {
    const folders = Array.from({ length: 150 }, (_, index) => path.join(folder, String(index)));
    const first = taker(0, 0, folders);
    expect(await said(first)).toBe(folders.map(() => 1).join(' '));
    first.child.kill('SIGKILL');
    await first.exited;
    const at = Date.now() + 5_000;
    const takers = Array.from({ length: 5 }, () => taker(at, 8, folders));
    const claims = (await Promise.all(takers.map(said))).map((words) => words.split(' ').map(Number));
    const winners = folders.map((_, index) => claims.map((each) => each[index]).filter((n) => n !== 0));
    expect(winners).toEqual(folders.map(() => [2]));
    for (const each of takers) each.child.stdin?.end();
    await Promise.all(takers.map((each) => each.exited));
  }, 60_000);

  test('a pid that was given to another process is a dead owner', () => {
    const self = identityOf(process.pid);
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      path.join(folder, '7'),
      JSON.stringify({ pid: process.pid, start: `${self?.start}0`, released: false }),
    );
    expect(currentOwner(folder)).toBeUndefined();
    expect(acquire(folder)?.n).toBe(8);
    expect(readdirSync(folder)).toEqual(['8']);
  });

  test('a taker that slept through a whole ownership does not win with its old number', () => {
    const self = identityOf(process.pid);
    if (!self) throw new Error('no identity');
    mkdirSync(folder, { recursive: true });
    // It saw 2 as the highest, dead claim and is about to make 3; meanwhile 3 came and went, and 4 lives.
    writeFileSync(path.join(folder, '4'), JSON.stringify({ ...self, released: false }));
    expect(tryClaim(folder, 3, self)).toBe(false);
    expect(readdirSync(folder)).toEqual(['4']);
  });
});

describe('which process it is', () => {
  test('nothing is ended unless pid, start time and command match', async () => {
    const other = taker();
    await said(other);
    const identity = identityOf(other.child.pid ?? 0);
    if (!identity) throw new Error('the taker is not there');
    await endProcess({ ...identity, start: `${identity.start}0` }, 'taker.ts', 0);
    await endProcess(identity, 'another command', 0);
    expect(isAlive(identity)).toBe(true);
    await endProcess(identity, 'taker.ts', 2_000);
    expect(isAlive(identity)).toBe(false);
  }, 30_000);
});
