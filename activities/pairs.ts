/**
 * pairs: each right rationale of a problem beside each of its wrong ones, and the pairs of earlier iterations behind them.
 *
 *   pairs: { use: 'pairs', in: { correct: ['judged.correct'], incorrect: ['judged.incorrect'], earlier: '$pairs' } }
 *
 * Equal completions count once. Under a cap those pairs stand whose hash (run seed, problem, both texts) is lowest, so that they
 * are no one rationale's; this iteration's before earlier ones. Pairs are made within an iteration: a right rationale of one
 * and a wrong one of another are not joined. What is not judged is in none. Source: Hosseini et al., arXiv:2402.06457 §3.2.
 * Limit: holds the judged rationales of an iteration in memory.
 */
import type { Pair } from '../schemas/pair.ts';
import { Pair as PairRow } from '../schemas/pair.ts';
import type { StageOptions } from '../schemas/stage.ts';
import type { Judged } from '../schemas/verdict.ts';
import type { Task } from '../tasks/task.ts';
import { rowBatches, RowsWriter } from '../store/rows.ts';
import type { Dependencies } from './dependencies.ts';
import { labelledRationales, shuffledLabels } from './labelled.ts';
import { seedOf } from './seed.ts';
import { exampleOf } from './select.ts';
import { stageActivity } from './shard.ts';

export const pairs = (deps: Dependencies) =>
  stageActivity<'pairs'>(deps, async ({ input, task }) => {
    const { inputs, options, run } = input;
    const problems = await labelledRationales(deps.store, inputs);
    const made = new RowsWriter(deps.store);
    const isWanted = choice(options.perProblem);
    for (const [problem, labelled] of problems) {
      const { right, wrong } = options.labels === 'shuffled' ? shuffledLabels(run.seed, labelled) : labelled;
      const rank = ({ chosen, rejected }: Pair) =>
        seedOf(run.seed, 'pairs', problem, chosen.completion, rejected.completion);
      const all = right.flatMap((one) => wrong.map((other) => pairOf(task, one, other)));
      const ranked = all.map((pair) => ({ pair, at: rank(pair) })).sort((x, y) => (x.at < y.at ? -1 : 1));
      for (const { pair } of ranked) if (isWanted(pair)) await made.add(pair);
    }
    if (inputs.earlier)
      for await (const batch of rowBatches(deps.store, inputs.earlier, PairRow))
        for (const pair of batch) if (isWanted(pair)) await made.add(pair);
    return { outputs: { pairs: (await made.finish()).ref }, tokens: 0, partial: false };
  });

function pairOf(task: Task, { rationale: right }: Judged, { rationale: wrong }: Judged): Pair {
  const { problem, identity, prompt, completion, completionTokens } = exampleOf(task, right);
  const rejected = exampleOf(task, wrong);
  return {
    problem,
    identity,
    prompt,
    chosen: { completion, ...(completionTokens && { completionTokens }) },
    rejected: {
      completion: rejected.completion,
      ...(rejected.completionTokens && { completionTokens: rejected.completionTokens }),
    },
  };
}

/** Says of each pair in turn whether it is taken: each once, at most so many of one problem. */
function choice(perProblem: StageOptions<'pairs'>['perProblem']): (pair: Pair) => boolean {
  const taken = new Map<string, Set<string>>();
  return ({ problem, chosen, rejected }) => {
    const of = taken.get(problem) ?? new Set<string>();
    taken.set(problem, of);
    const key = JSON.stringify([chosen.completion, rejected.completion]);
    if (of.has(key) || (perProblem !== null && of.size >= perProblem)) return false;
    of.add(key);
    return true;
  };
}
