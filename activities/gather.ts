/**
 * gather: training rows of several places as one, those of earlier iterations among them.
 *
 *   pool: { use: 'gather', in: { examples: ['kept', '$kept'] }, with: { perProblem: 10 } }   carry: { …, kept: 'pool' }
 *
 * Rows stand in the order of the inputs, so with a cap the first named win; here the newest.
 */
import { Example } from '../schemas/example.ts';
import { rowBatches, RowsWriter } from '../store/rows.ts';
import type { Dependencies } from './dependencies.ts';
import { choice } from './select.ts';
import { stageActivity } from './shard.ts';

export const gather = (deps: Dependencies) =>
  stageActivity<'gather'>(deps, async ({ input, task }) => {
    const isWanted = choice(task, input.options);
    const gathered = new RowsWriter(deps.store);
    for await (const batch of rowBatches(deps.store, input.inputs.examples, Example))
      for (const row of batch) if (isWanted(row.problem, row.completion)) await gathered.add(row);
    return { outputs: { examples: (await gathered.finish()).ref }, tokens: 0, partial: false };
  });
