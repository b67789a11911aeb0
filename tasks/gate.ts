/**
 * The gate's side of a task: a share of the training identities, set apart by a hash of their own, for runs that ask for it.
 *
 *   isGate(problem)                     // by identity alone: a problem that is new tomorrow finds its side by itself
 *   gateProblems(addition, { digits: 5 })
 *   withoutGate(addition)               // the same task, with nothing of the gate to draw or to start from
 *
 * Apart from dev and test (it is cut out of train), so the split that stops a run is not the one that promotes its model.
 * The task's own split does not move: runs that ask for no gate keep their draws and digests, and a model of such a run
 * has seen gate identities, so the gate must not be asked about it.
 */
import { createHash } from 'node:crypto';
import type { Problem } from '../schemas/problem.ts';
import { drawFromStratum } from './draw.ts';
import type { Task } from './task.ts';

/** Never change it: what was trained on would be gated on. */
const SALT = 'startrail gate 1';
/** Share of the training identities. */
export const GATE_SHARE = 0.1;
/** Gate problems of a stratum. */
export const GATE_SIZE = 500;

export function isGate({ identity }: Pick<Problem, 'identity'>): boolean {
  const hash = createHash('sha256').update(`${SALT}\n${identity}`).digest('hex');
  return parseInt(hash.slice(0, 8), 16) / 2 ** 32 < GATE_SHARE;
}

/** At most {@link GATE_SIZE} problems of each stratum, one of each identity as far as they reach; the same for every run. */
export function gateProblems<P>(task: Task<P>, parameters: P, size = GATE_SIZE): Problem[] {
  return task
    .strata(parameters)
    .flatMap((stratum) =>
      drawFromStratum(stratum, (one) => task.split(one, parameters) === 'train' && isGate(one), size, SALT),
    );
}

/** The task as a run with a gate sees it: gate identities are held out of draws and seeds. */
export function withoutGate<P>(task: Task<P>): Task<P> {
  return {
    ...task,
    // Any side but train is never drawn; `test` itself is a fixed list, which this does not add to.
    split: (problem, parameters) => {
      const side = task.split(problem, parameters);
      return side === 'train' && isGate(problem) ? 'test' : side;
    },
    seeds: (parameters, seed) => task.seeds(parameters, seed).filter(({ problem }) => !isGate(problem)),
  };
}
