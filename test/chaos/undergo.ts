/** A run that is killed at chosen moments, gone on with, and held against the undisturbed one. */
import { expect } from 'vitest';
import { waitGone } from '../../cli/process-identity.ts';
import type { Home } from './home.ts';
import { pause } from './installation.ts';
import type { Outcome } from './installation.ts';
import { reach } from './moments.ts';
import type { Moment } from './moments.ts';
import { kill, members, stateOf } from './processes.ts';
import type { Member, Role } from './processes.ts';

export const TARGETS = ['worker', 'engine', 'server', 'cli', 'everything'] as const;
export type Target = (typeof TARGETS)[number];
export interface Kill {
  what: Target;
  at: Moment;
  /** Don't wait for work to go on: the next kill may fall into the recovery. */
  hasty?: boolean;
  /** Which of the engine's processes, in [0, 1): lanes that sample and one that trains. All of them if not said. */
  which?: number;
  /** Done to the home while nobody lives in it; for kills of everything. */
  meanwhile?: (home: Home) => void;
}
export interface Line {
  what: Target;
  at: string;
  /** From the kill, or from the start of the next owner, to the next trace of work; null where nobody waited for it. */
  seconds: number | null;
}

/** Work must go on after so long. On a machine that is busy with other things: STARTRAIL_CHAOS_LIMIT_S. */
export const LIMIT_S = Number(process.env.STARTRAIL_CHAOS_LIMIT_S ?? 20);
const MOMENT_S = 90;

/** Waits until there is such a process: it may just be started again. */
async function find(home: Home, role: Role): Promise<Member[]> {
  while (!home.command.over) {
    const found = home.find(role);
    if (found.length > 0) return found;
    await pause(10);
  }
  return [];
}

/** The kill and its aftermath; undefined if the run was over before. */
export async function strike(home: Home, { what, at, hasty, which, meanwhile }: Kill): Promise<Line | undefined> {
  if (!(await reach(home, at, MOMENT_S))) return undefined;
  const found = what === 'everything' ? home.find('cli') : await find(home, what);
  const victims = which === undefined ? found : found.slice(Math.floor(which * found.length)).slice(0, 1);
  const [victim] = victims;
  if (!victim) return undefined;
  const { group, ended } = home.command;
  const engines = home.find('engine');
  let from = Date.now();
  // One call for the whole group: nobody sees another die first.
  if (what === 'everything') process.kill(-group, 'SIGKILL');
  else for (const one of victims) kill(one);
  // What the dying still wrote is no work of those who come after.
  for (const one of victims) await waitGone(one, 5_000);
  if (what === 'worker')
    for (const engine of engines)
      expect(await waitGone(engine, 5_000), `engine ${engine.pid} lives: ${stateOf(engine.pid)}`).toBe(true);
  let before = home.traces();
  if (what === 'cli' || what === 'everything') {
    await ended;
    meanwhile?.(home);
    from = Date.now();
    await home.goOn();
    // A worker whose owner was killed may write until its guardian or the next owner ends it: that is not the run going on.
    for (let tries = 0; tries < 100 && members(group).length > 0; tries++) await pause(50);
    expect(members(group), 'what the dead owner left').toEqual([]);
    before = home.traces();
  }
  if (hasty) return { what, at: at.name, seconds: null };
  // A worker finishes what it has while there is no server: that is not the run going on.
  if (what === 'server') {
    await home.serverBack(victim, LIMIT_S);
    before = home.traces();
  }
  const seconds = await home.progress(before, from, LIMIT_S);
  return { what, at: at.name, seconds };
}

interface Drawn {
  problem: string;
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
  expect(home.leftovers(), 'files left behind').toEqual([]);
}

/** Guardians look every 100 ms; a few seconds after its owner nothing may live. */
export async function nothingLeft(home: Home): Promise<void> {
  for (let tries = 0; tries < 50 && home.living().length > 0; tries++) await pause(100);
  expect(home.living(), 'processes left behind').toEqual([]);
}
