/**
 * A task over given problems instead of its own: a list that may grow from run to run.
 *
 *   withProblems(addition, problems)      // prompts, parser and verifier of the task; problems, splits of the list
 *   sideOf(problem)                       // train, dev or test: by the identity's hash alone
 *
 * A side depends on nothing but the identity, so a problem that is new tomorrow finds its own and none ever changes it; the
 * splits of `tasks/splits.ts` rank small strata, and would move. A tenth each is dev and test. The gate (tasks/gate.ts) is
 * cut out of train by its own hash, as everywhere.
 */
import { createHash } from 'node:crypto';
import type { Problem, Split } from '../schemas/problem.ts';
import { drawProblems } from './draw.ts';
import { permutation } from './permutation.ts';
import { HELD_OUT } from './splits.ts';
import type { Stratum, Task } from './task.ts';

/** Never change it: what was trained on would be tested on. */
const SALT = 'startrail source split 1';
const HELD_OUT_SHARE = 0.1;

/** Where the identity's hash falls, 0 … 1. */
export const placeOf = (identity: string): number =>
  parseInt(createHash('sha256').update(`${SALT}\n${identity}`).digest('hex').slice(0, 12), 16) / 2 ** 48;

export function sideOf({ identity }: Pick<Problem, 'identity'>): Split {
  const place = placeOf(identity);
  return place < HELD_OUT_SHARE ? 'dev' : place < 2 * HELD_OUT_SHARE ? 'test' : 'train';
}

/** Listed problems by their strata, in natural order. */
export function strataOf(problems: readonly Problem[]): Stratum[] {
  const byId = new Map<string, Problem[]>();
  for (const problem of problems) {
    const list = byId.get(problem.stratum);
    if (list) list.push(problem);
    else byId.set(problem.stratum, [problem]);
  }
  return [...byId]
    .sort(([x], [y]) => x.localeCompare(y, 'en', { numeric: true }))
    .map(([id, list]) => ({ id, size: list.length, at: (index) => list[index] as Problem }));
}

/** One problem of each held-out identity, at most {@link HELD_OUT} of a stratum: those with the lowest hashes. */
function heldOut(problems: readonly Problem[], side: 'dev' | 'test'): Problem[] {
  return strataOf(problems.filter((problem) => sideOf(problem) === side)).flatMap(({ size, at }) => {
    const first = new Map<string, Problem>();
    for (let index = 0; index < size; index++) {
      const problem = at(index);
      if (!first.has(problem.identity)) first.set(problem.identity, problem);
    }
    const ranked = [...first.values()].map((problem) => ({ problem, place: placeOf(problem.identity) }));
    ranked.sort((x, y) => x.place - y.place);
    return ranked.slice(0, HELD_OUT).map(({ problem }) => problem);
  });
}

/** The task with these problems in the place of its own; its seed triples are those that stand on their train side. */
export function withProblems<P>(task: Task<P>, problems: readonly Problem[]): Task<P> {
  return {
    ...task,
    strata: () => strataOf(problems),
    split: sideOf,
    heldOut: (side) => heldOut(problems, side),
    seeds: (parameters, seed) => task.seeds(parameters, seed).filter(({ problem }) => sideOf(problem) === 'train'),
  };
}

/**
 * Of a task over given problems: draws new ones first, at most `newShare` of the count, then from all that are left. Without replacement, from the
 * train side of `task` (which may keep the gate's problems away); deterministic.
 */
export function drawWithNew<P>(
  task: Task<P>,
  parameters: P,
  options: {
    count: number;
    newShare: number;
    seed: string;
    isNew: (one: Problem) => boolean;
  },
): { drawn: Problem[]; fresh: number } {
  const { count, newShare, seed, isNew } = options;
  const problems = task.strata(parameters).flatMap(({ size, at }) => Array.from({ length: size }, (_, i) => at(i)));
  const from = (some: Problem[]): Task<P> => ({ ...task, strata: () => strataOf(some) });
  const fresh =
    newShare === 0
      ? []
      : drawProblems(from(problems.filter(isNew)), parameters, { count: Math.round(count * newShare), seed });
  const taken = new Set(fresh.map(({ id }) => id));
  const rest = problems.filter(({ id }) => !taken.has(id));
  const drawn = [...fresh, ...drawProblems(from(rest), parameters, { count: count - fresh.length, seed })];
  const order = permutation(drawn.length, `mix new\n${seed}`);
  return {
    drawn: Array.from(drawn, (_, index) => drawn[order(index)] as Problem),
    fresh: drawn.filter(isNew).length,
  };
}
