/**
 * One set-up at a time per name, across processes; a lock whose owner died is taken over.
 *
 * The lock file appears complete or not at all (written aside, then hard-linked). An owner is known by process id *and* start
 * time, because ids are used again. Two waiters that both find a dead owner cannot both win: each moves the file aside by
 * rename, checks that what it moved is what it had judged, and puts it back if it is not. Nothing depends on the lock for
 * integrity: every result is written aside and renamed into place; the lock only saves work and keeps `npm ci` alone.
 */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { SetupFailure } from './failure.mjs';

/** Start time of a process in clock ticks since boot, where the system tells (Linux). */
const startTicks = (pid) => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
};

const isAlive = (pid) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM'; // it exists and is somebody else's
  }
};

/** Does the lock's text name an owner that can no longer be at work? A lock of another machine is never judged. */
export const isStale = (text) => {
  let owner;
  try {
    owner = JSON.parse(text);
  } catch {
    return true; // the file appears whole, so this is damage, not a write in progress
  }
  if (owner?.host !== hostname()) return false;
  if (!isAlive(owner.pid)) return true;
  const now = startTicks(owner.pid);
  return owner.ticks !== undefined && now !== undefined && owner.ticks !== now;
};

const readLock = (file) => {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
};

/** Puts `text` at `file` unless something is there. */
const createExclusive = (file, text) => {
  const aside = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  writeFileSync(aside, text);
  try {
    linkSync(aside, file);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    if (!['EPERM', 'ENOTSUP', 'ENOSYS', 'EACCES'].includes(error.code)) throw error;
    try {
      writeFileSync(file, text, { flag: 'wx' }); // a file system without hard links
      return true;
    } catch (second) {
      if (second.code === 'EEXIST') return false;
      throw second;
    }
  } finally {
    rmSync(aside, { force: true });
  }
};

const removeStale = (file, judged) => {
  const aside = `${file}.${process.pid}.stale`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if (error.code === 'ENOENT') return;
    throw error;
  }
  const moved = readLock(aside);
  if (moved !== undefined && moved !== judged) createExclusive(file, moved); // a new owner's: give it back
  rmSync(aside, { force: true });
};

const ownerText = (pid) =>
  JSON.stringify({ pid, host: hostname(), ticks: startTicks(pid), id: randomBytes(8).toString('hex') });

/** Notes at `file` that process `pid` is at work, whether or not its parent lives. */
export const noteWorker = (file, pid) => {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, ownerText(pid));
};

/**
 * Waits until the process noted at `file` has ended: one that outlived the set-up which started it.
 *
 * @param {string} file
 * @param {{ waitMs?: number, pollMs?: number, onWait?: (owner: string) => void }} [options]
 * @throws {SetupFailure} if it is still there after `waitMs`
 */
export const waitForWorker = async (file, { waitMs = 5 * 60_000, pollMs = 200, onWait } = {}) => {
  const started = Date.now();
  for (let told = false; ; told = true) {
    const text = readLock(file);
    if (text === undefined || isStale(text)) return;
    const { pid } = JSON.parse(text);
    if (!told) onWait?.(`its process ${pid} is still at work`);
    if (Date.now() - started > waitMs) {
      throw new SetupFailure(
        `process ${pid}, left by a set-up that was killed, is still at work after ${Math.round(waitMs / 60_000)} minutes`,
        'end that process, then run set-up again',
      );
    }
    await sleep(pollMs);
  }
};

/**
 * Runs `work` while holding `file`.
 *
 * @template T
 * @param {string} file
 * @param {() => Promise<T>} work
 * @param {{ waitMs?: number, pollMs?: number, onWait?: (owner: string) => void }} [options]
 * @returns {Promise<T>}
 * @throws {SetupFailure} if a living owner keeps the lock for longer than `waitMs`
 */
export const withLock = async (file, work, { waitMs = 20 * 60_000, pollMs = 150, onWait } = {}) => {
  mkdirSync(dirname(file), { recursive: true });
  const mine = ownerText(process.pid);
  const started = Date.now();
  let told = false;
  while (!createExclusive(file, mine)) {
    const text = readLock(file);
    if (text === undefined) continue;
    if (isStale(text)) {
      removeStale(file, text);
      continue;
    }
    const owner = `process ${JSON.parse(text).pid} on ${JSON.parse(text).host}`;
    if (!told) onWait?.(owner);
    told = true;
    if (Date.now() - started > waitMs) {
      throw new SetupFailure(
        `another set-up (${owner}) has held ${file} for ${Math.round(waitMs / 60_000)} minutes`,
        `end that process, or delete the file if there is none, then run set-up again`,
      );
    }
    await sleep(pollMs);
  }
  const release = () => {
    if (readLock(file) === mine) rmSync(file, { force: true });
  };
  process.once('exit', release);
  try {
    return await work();
  } finally {
    process.removeListener('exit', release);
    release();
  }
};
