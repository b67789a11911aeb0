import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { acquire, currentOwner } from '../../cli/lock.ts';
import { endProcess, identityOf, isAlive } from '../../cli/process-identity.ts';
import { cleanUp, start, until } from './fixture/process.ts';

let folder: string;
beforeEach(() => (folder = path.join(mkdtempSync(path.join(os.tmpdir(), 'startrail-lock-')), 'lock')));
afterEach(() => {
  rmSync(path.dirname(folder), { recursive: true, force: true });
});
afterAll(cleanUp);

const taker = (at = 0) => start('taker.ts', [folder, String(at)]);
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

  test('a dead owner is followed by exactly one of five takers', async () => {
    const first = taker();
    expect(await said(first)).toBe('won 1');
    first.child.kill('SIGKILL');
    await first.exited;
    const at = Date.now() + 4_000;
    const takers = Array.from({ length: 5 }, () => taker(at));
    const words = await Promise.all(takers.map(said));
    expect(words.filter((word) => word === 'won 2')).toHaveLength(1);
    expect(words.filter((word) => word === 'lost')).toHaveLength(4);
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
    mkdirSync(folder, { recursive: true });
    const dead = JSON.stringify({ pid: 1, start: 'nobody', released: false });
    writeFileSync(path.join(folder, '3'), dead);
    // It saw 2 as the highest, dead claim and is about to make 3; meanwhile 3 and 4 came, and 3 was cleaned away.
    writeFileSync(path.join(folder, '4'), JSON.stringify({ ...identityOf(process.pid), released: false }));
    rmSync(path.join(folder, '3'));
    expect(acquire(folder)).toBeUndefined();
    expect(existsSync(path.join(folder, '3'))).toBe(false);
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
