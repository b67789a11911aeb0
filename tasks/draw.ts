/**
 * Draws the problems of one iteration: without replacement, from the train side only.
 *
 *   drawProblems(addition, { digits: 5 }, { count: 2000, seed: '6a09…' })   // 400 of each digit count, or all there are
 *
 * The count is shared evenly by the strata (the remainder goes to the first ones). A stratum with fewer problems than its
 * share gives all of them and the others give no more for that, so that the number drawn falls visibly.
 *
 * Problems are distinct by id, not by identity: `3+5` and `5+3` are two prompts, the model may solve one and fail the
 * other, and both stand on one side of the split, so that drawing both leaks nothing. But the second says less than a fresh
 * pair: it is drawn only when a stratum has no new identity left.
 *
 * Determinism: a pure function of task, parameters, count and seed.
 */
import type { Problem } from '../schemas/problem.ts';
import { permutation } from './permutation.ts';
import type { Stratum, Task } from './task.ts';

/**
 * Up to `count` problems of one stratum that `accept` lets through, in an order that only the seed decides: first one of
 * each identity, then, if those are too few, the others.
 */
export function drawFromStratum(
  stratum: Stratum,
  accept: (problem: Problem) => boolean,
  count: number,
  seed: string,
): Problem[] {
  const order = permutation(stratum.size, `${seed}\n${stratum.id}`);
  const drawn: Problem[] = [];
  const again: Problem[] = [];
  const seen = new Set<string>();
  for (let i = 0; i < stratum.size && drawn.length < count; i++) {
    const problem = stratum.at(order(i));
    if (!accept(problem)) continue;
    if (!seen.has(problem.identity)) {
      seen.add(problem.identity);
      drawn.push(problem);
    } else if (again.length < count) again.push(problem);
  }
  for (const problem of again) {
    if (drawn.length >= count) break;
    drawn.push(problem);
  }
  return drawn;
}

/**
 * The same problems in the same order, each with the gold answer of another: of its stratum where that has enough different
 * ones. Pure.
 */
export function shuffleGold(problems: Problem[], seed: string): Problem[] {
  const answers = new Map<string, number>();
  const keyOf = ({ gold }: Problem) => JSON.stringify(gold);
  for (const problem of problems) answers.set(keyOf(problem), (answers.get(keyOf(problem)) ?? 0) + 1);
  const order = permutation(problems.length, `gold\n${seed}`);
  const rank = (problem: Problem) => JSON.stringify([problem.stratum, problem.gold]);
  const sorted = Array.from(problems, (_, index) => problems[order(index)]!).sort((x, y) =>
    rank(x) < rank(y) ? -1 : rank(x) > rank(y) ? 1 : 0,
  );
  // Equal answers stand side by side: as far away as the largest group of them is long, another answer begins.
  const step = Math.max(0, ...answers.values());
  const other = new Map(sorted.map(({ id }, index) => [id, sorted[(index + step) % sorted.length]!.gold]));
  return problems.map((problem) => ({ ...problem, gold: other.get(problem.id)! }));
}

/**
 * The problems of one iteration, strata mixed, so that shards are alike.
 *
 * @param options.count problems in all; fewer come back where a stratum is smaller than its share.
 * @param options.seed any text; in a run the hex seed of the iteration.
 */
export function drawProblems<P>(task: Task<P>, parameters: P, options: { count: number; seed: string }): Problem[] {
  const strata = task.strata(parameters);
  const share = Math.floor(options.count / strata.length);
  const remainder = options.count % strata.length;
  const accept = (problem: Problem) => task.split(problem, parameters) === 'train';
  const drawn: Problem[] = [];
  for (const [index, stratum] of strata.entries())
    for (const problem of drawFromStratum(
      stratum,
      accept,
      share + (index < remainder ? 1 : 0),
      `draw\n${options.seed}`,
    ))
      drawn.push(problem);
  const order = permutation(drawn.length, `mix\n${options.seed}`);
  return Array.from(drawn, (_, index) => drawn[order(index)]!);
}
