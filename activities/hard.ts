/**
 * hard: the problems that most samples fail at, for another round of samples on those alone.
 *
 *   hard: { use: 'hard', in: { correct: ['judged.correct'], incorrect: ['judged.incorrect'] }, with: { atMost: 0.25 } },
 *   more: { use: 'generate', in: { problems: 'hard', model: '$model' }, with: { samples: 12, firstSample: 4 } },
 *
 * The share right is that of a problem's judged samples, each counted. In the order of the inputs, problems with a right sample
 * first: another shard size gives the same. Source: difficulty-based resampling, He et al., arXiv:2502.13550.
 */
import type { Problem } from '../schemas/problem.ts';
import { RowsWriter } from '../store/rows.ts';
import type { Dependencies } from './dependencies.ts';
import { isRight, judgedRows } from './labelled.ts';
import { stageActivity } from './shard.ts';

export const hard = (deps: Dependencies) =>
  stageActivity<'hard'>(deps, async ({ input }) => {
    const { inputs, options } = input;
    const found = new Map<string, { problem: Problem; right: number; judged: number }>();
    for await (const row of judgedRows(deps.store, inputs)) {
      const { problem } = row.rationale;
      const one = found.get(problem.id) ?? { problem, right: 0, judged: 0 };
      found.set(problem.id, one);
      one.judged++;
      one.right += Number(isRight(row));
    }
    const problems = new RowsWriter(deps.store);
    for (const { problem, right, judged } of found.values())
      if (right <= options.atMost * judged) await problems.add(problem);
    return { outputs: { problems: (await problems.finish()).ref }, tokens: 0, partial: false };
  });
