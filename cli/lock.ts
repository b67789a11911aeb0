/**
 * One owner of a home at a time, without a lock that the operating system keeps (Node has none).
 *
 * Claims are numbered files `<home>/lock/<n>`, made create-exclusively; the highest number counts. Whoever finds the highest
 * claim dead (its process is gone, or another with the same pid, or it was given back) makes number n+1: of several takers
 * exactly one can. The highest number never disappears, so a taker that was asleep can't win with an old number: after
 * making its claim it looks whether a higher one exists. A plain lock file that takers remove and make again has that hole.
 *
 * Limits: one machine and its own disk. A home on a network share must not be used from two machines.
 */
import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { identityOf, isAlive } from './process-identity.ts';
import type { ProcessIdentity } from './process-identity.ts';

interface Claim extends ProcessIdentity {
  released: boolean;
}

const numbers = (folder: string): number[] => {
  try {
    return readdirSync(folder)
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .sort((a, b) => b - a);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
};

const read = (folder: string, n: number): Claim | undefined => {
  try {
    const claim = JSON.parse(readFileSync(path.join(folder, String(n)), 'utf8')) as Partial<Claim>;
    return { pid: Number(claim.pid), start: String(claim.start), released: claim.released === true };
  } catch {
    return undefined;
  }
};

/** The living owner and the number of its claim. */
export function currentOwner(folder: string): (ProcessIdentity & { n: number }) | undefined {
  const n = numbers(folder)[0];
  const claim = n === undefined ? undefined : read(folder, n);
  return n === undefined || !claim || claim.released || !isAlive(claim)
    ? undefined
    : { n, pid: claim.pid, start: claim.start };
}

export interface Lock {
  n: number;
  self: ProcessIdentity;
  release(): void;
}

/** The lock, or undefined if a living process has it (this one included). */
export function acquire(folder: string): Lock | undefined {
  const self = identityOf(process.pid);
  if (!self) throw new Error('this process cannot find its own start time');
  mkdirSync(folder, { recursive: true });
  const own = path.join(folder, `.${process.pid}-${randomBytes(6).toString('hex')}`);
  const put = (claim: Claim) => writeFileSync(own, JSON.stringify(claim));
  try {
    for (;;) {
      if (currentOwner(folder)) return undefined;
      const n = (numbers(folder)[0] ?? 0) + 1;
      const place = path.join(folder, String(n));
      put({ ...self, released: false });
      try {
        // A link appears with its content or not at all, and never over something that is there.
        linkSync(own, place);
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'EEXIST') continue;
        throw error;
      }
      if (numbers(folder)[0] !== n) {
        rmSync(place, { force: true });
        continue;
      }
      for (const older of numbers(folder)) if (older < n) rmSync(path.join(folder, String(older)), { force: true });
      return {
        n,
        self,
        release: () => {
          put({ ...self, released: true });
          renameSync(own, place);
        },
      };
    }
  } finally {
    rmSync(own, { force: true });
  }
}
