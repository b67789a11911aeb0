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
    // ENOTDIR: a file where the home should be; whoever wants to write there is told so.
    if (error instanceof Error && 'code' in error && ['ENOENT', 'ENOTDIR'].includes(String(error.code))) return [];
    throw error;
  }
};

const DEAD: Claim = { pid: 0, start: '', released: true };

/** The highest claim as one observation: number and content of the same moment. */
function highest(folder: string): { n: number; claim: Claim } {
  for (;;) {
    const n = numbers(folder)[0];
    if (n === undefined) return { n: 0, claim: DEAD };
    let text: string;
    try {
      text = readFileSync(path.join(folder, String(n)), 'utf8');
    } catch (error) {
      // It was cleaned away since, so there is a higher one; to take this for a dead owner would make two of one.
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') continue;
      throw error;
    }
    try {
      const claim = JSON.parse(text) as Partial<Claim>;
      return { n, claim: { pid: Number(claim.pid), start: String(claim.start), released: claim.released === true } };
    } catch {
      // Torn by a power cut: whoever wrote it is gone.
      return { n, claim: DEAD };
    }
  }
}

const lives = (claim: Claim): boolean => !claim.released && isAlive(claim);

/** The living owner and the number of its claim. */
export function currentOwner(folder: string): (ProcessIdentity & { n: number }) | undefined {
  const { n, claim } = highest(folder);
  return lives(claim) ? { n, pid: claim.pid, start: claim.start } : undefined;
}

export interface Lock {
  n: number;
  self: ProcessIdentity;
  release(): void;
}

/** Writes a claim beside its place, for the link or rename that makes it count. */
function draft(folder: string, claim: Claim): string {
  const file = path.join(folder, `.${process.pid}-${randomBytes(6).toString('hex')}`);
  writeFileSync(file, JSON.stringify(claim));
  return file;
}

/** Makes claim n; false if somebody was faster, by this number or by a higher one. */
export function tryClaim(folder: string, n: number, self: ProcessIdentity): boolean {
  const file = draft(folder, { ...self, released: false });
  const place = path.join(folder, String(n));
  try {
    // A link appears with its content or not at all, and never over something that is there.
    linkSync(file, place);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(file, { force: true });
  }
  if (numbers(folder)[0] === n) return true;
  rmSync(place, { force: true });
  return false;
}

/** The lock, or undefined if a living process has it (this one included). */
export function acquire(folder: string): Lock | undefined {
  const self = identityOf(process.pid);
  if (!self) throw new Error('this process cannot find its own start time');
  mkdirSync(folder, { recursive: true });
  for (;;) {
    const before = highest(folder);
    if (lives(before.claim)) return undefined;
    const n = before.n + 1;
    if (!tryClaim(folder, n, self)) continue;
    for (const older of numbers(folder)) if (older < n) rmSync(path.join(folder, String(older)), { force: true });
    return {
      n,
      self,
      release: () => {
        renameSync(draft(folder, { ...self, released: true }), path.join(folder, String(n)));
      },
    };
  }
}
