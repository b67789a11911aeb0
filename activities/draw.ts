/**
 * draw: this iteration's problems, without replacement, shared evenly by the strata; a small stratum is taken whole. From a
 * problem source the new ones come first, up to their declared share. Behind a queue a fixed pool of problems takes turns.
 */
import { Problem } from '../schemas/problem.ts';
import { byTurn, QueueRow } from '../schemas/queue.ts';
import { readRows, RowsWriter } from '../store/rows.ts';
import { drawProblems, shuffleGold } from '../tasks/draw.ts';
import { drawWithNew } from '../tasks/source.ts';
import type { Dependencies } from './dependencies.ts';
import { failure } from './failures.ts';
import { taskOfRun } from './problem-source.ts';
import { wholeOf } from './sample.ts';
import { seedOf } from './seed.ts';
import { stageActivity } from './shard.ts';

/** Problems that take turns, for one that is drawn. */
const POOL = 10;

export const draw = (deps: Dependencies) =>
  stageActivity<'draw'>(deps, async ({ input, task, parameters }) => {
    const { run, options } = input;
    const { source } = run;
    const { count } = options;
    const seed = seedOf(run.seed, 'draw', input.iteration);
    const seen = await taskOfRun(deps.store, task, run);
    let drawn: Problem[];
    let drawnNew: number | undefined;
    const { queue } = input.inputs;
    if (queue) {
      if (source)
        throw failure('RecipeInvalid', `${input.stage} takes turns, which new problems of a source have no place in`);
      const known = new Map((await readRows(deps.store, queue, QueueRow)).map((row) => [row.problem, row]));
      const sizes = { count: Math.max(count, options.pool ?? POOL * count), seed: seedOf(run.seed, 'pool') };
      const pool = drawProblems(seen, parameters, sizes);
      const ties = new Map(pool.map(({ id }) => [id, seedOf(run.seed, 'turn', id)]));
      drawn = pool.sort(byTurn(known, ({ id }) => ties.get(id) ?? '')).slice(0, count);
    } else if (source) {
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
