/**
 * draw: this iteration's problems, without replacement, shared evenly by the strata; a small stratum is taken whole. From a
 * problem source the new ones come first, up to their declared share.
 */
import { Problem } from '../schemas/problem.ts';
import { readRows, RowsWriter } from '../store/rows.ts';
import { drawProblems, shuffleGold } from '../tasks/draw.ts';
import { drawWithNew } from '../tasks/source.ts';
import type { Dependencies } from './dependencies.ts';
import { taskOfRun } from './problem-source.ts';
import { wholeOf } from './sample.ts';
import { seedOf } from './seed.ts';
import { stageActivity } from './shard.ts';

export const draw = (deps: Dependencies) =>
  stageActivity<'draw'>(deps, async ({ input, task, parameters }) => {
    const { run, options } = input;
    const { source } = run;
    const { count } = options;
    const seed = seedOf(run.seed, 'draw', input.iteration);
    const seen = await taskOfRun(deps.store, task, run);
    let drawn: Problem[];
    let drawnNew: number | undefined;
    if (source) {
      const ids = new Set((await readRows(deps.store, wholeOf(source.fresh), Problem)).map(({ id }) => id));
      const isNew = ({ id }: Problem) => ids.has(id);
      const { newShare } = source;
      const found = drawWithNew(seen, parameters, { count, newShare, seed, isNew });
      ({ drawn, fresh: drawnNew } = found);
    } else drawn = drawProblems(seen, parameters, { count, seed });
    const rows = new RowsWriter(deps.store);
    for (const problem of options.gold === 'shuffled' ? shuffleGold(drawn, seed) : drawn) await rows.add(problem);
    return {
      outputs: { problems: (await rows.finish()).ref },
      tokens: 0,
      partial: false,
      ...(drawnNew !== undefined && { drawnNew }),
    };
  });
