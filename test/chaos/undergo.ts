/** A run that is killed at chosen moments, gone on with, and held against the undisturbed one. */
import { expect } from 'vitest';
import { identityOf } from '../../cli/process-identity.ts';
import { pause } from './home.ts';
import type { Home, Outcome } from './home.ts';
import { reach } from './moments.ts';
import type { Moment } from './moments.ts';
import { kill, members } from './processes.ts';
import type { Member, Role } from './processes.ts';

export type Target = 'worker' | 'engine' | 'server' | 'cli' | 'everything';
export interface Kill {
  what: Target;
  at: Moment;
}
export interface Line extends Kill {
  /** From the kill, or from the start of the next owner, to the next trace of work. */
  seconds: number;
}

/** Work must go on after so long. On a machine that is busy with other things: STARTRAIL_CHAOS_LIMIT_S. */
export const LIMIT_S = Number(process.env.STARTRAIL_CHAOS_LIMIT_S ?? 20);
const MOMENT_S = 90;

async function find(home: Home, role: Role): Promise<Member | undefined> {
  while (!home.command.over) {
    const found = home.find(role);
    if (found) return found;
    await pause(10);
  }
  return undefined;
}

/** The kill and its aftermath; undefined if the run was over before. */
export async function strike(home: Home, { what, at }: Kill): Promise<Line | undefined> {
  if (!(await reach(home, at, MOMENT_S))) return undefined;
  const victim = what === 'everything' ? undefined : await find(home, what);
  if (what !== 'everything' && !victim) return undefined;
  const { group, ended } = home.command;
  const from = Date.now();
  if (victim) kill(victim);
  // One call for the whole group: nobody sees another die first.
  else process.kill(-group, 'SIGKILL');
  if (what === 'cli' || what === 'everything') {
    await ended;
    const before = home.traces();
    const restarted = Date.now();
    await home.watch();
    return { what, at, seconds: await home.progress(before, restarted, LIMIT_S) };
  }
  // A worker finishes what it has while there is no server: that is not the run going on.
  if (what === 'server' && victim) await home.serverBack(victim, LIMIT_S);
  return { what, at, seconds: await home.progress(home.traces(), from, LIMIT_S) };
}

interface Drawn {
  problem: string;
  outcome: string;
}

/** Digests, ledger, exit code, and that nothing is left of what was started. */
export async function holdAgainst(home: Home, outcome: Outcome, reference: Home): Promise<void> {
  const { code, document, errors } = outcome;
  expect(code, errors).toBe(0);
  expect(document?.status).toBe('done');
  const wanted = reference.document();
  for (const { n, drawn, ledger } of document?.iterations ?? [])
    expect(ledger.acceptedFree + ledger.acceptedHinted + ledger.rejected + ledger.unjudged, `iteration ${n}`).toBe(
      drawn,
    );
  for (const [n, record] of home.document().iterations.entries()) {
    const rows = home.rows(record.ledgerRef.digest) as Drawn[];
    const ids = rows.map((row) => row.problem);
    expect(new Set(ids).size, `problems doubled in iteration ${n}`).toBe(ids.length);
    const drawn = reference.rows(wanted.iterations[n]?.ledgerRef.digest ?? '') as Drawn[];
    expect(ids, `problems of iteration ${n}`).toEqual(drawn.map((row) => row.problem));
  }
  expect({ ledger: document?.ledgerDigest, weights: document?.weightsDigest }).toEqual({
    ledger: wanted.ledgerDigest,
    weights: wanted.weightsDigest,
  });
  await nothingLeft(home);
  expect(home.leftovers()).toEqual([]);
}

/** Guardians look every 100 ms; more than a few seconds after its owner nothing may live. */
export async function nothingLeft(home: Home): Promise<void> {
  for (let tries = 0; tries < 50 && home.living().length > 0; tries++) await pause(100);
  expect(home.living(), 'processes left behind').toEqual([]);
}

export { identityOf, members };
