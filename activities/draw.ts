/** draw: this iteration's problems, without replacement, shared evenly by the strata; a small stratum is taken whole. */
import { RowsWriter } from '../store/rows.ts';
import { drawProblems } from '../tasks/draw.ts';
import { withoutGate } from '../tasks/gate.ts';
import type { Dependencies } from './dependencies.ts';
import { seedOf } from './seed.ts';
import { stageActivity } from './shard.ts';

export const draw = (deps: Dependencies) =>
  stageActivity<'draw'>(deps, async ({ input, task, parameters }) => {
    const seed = seedOf(input.run.seed, 'draw', input.iteration);
    const problems = drawProblems(input.run.gate ? withoutGate(task) : task, parameters, {
      count: input.options.count,
      seed,
    });
    const rows = new RowsWriter(deps.store);
    for (const problem of problems) await rows.add(problem);
    return { outputs: { problems: (await rows.finish()).ref }, tokens: 0, partial: false };
  });
