/**
 * unfiltered: the control that looks at no verdict. As many training rows as `like` has, drawn from every rationale that was
 * sampled, right or wrong; what STaR gains over it comes from the filter, the rest from more rows of its own.
 *
 * Rows are ranked by the hash of run, iteration, problem and sample, and stand in the order they were sampled in. What an
 * engine gave nothing for is no rationale.
 */
import { Rationale } from '../schemas/rationale.ts';
import { rowBatches, RowsWriter } from '../store/rows.ts';
import type { Dependencies } from './dependencies.ts';
import { seedOf } from './seed.ts';
import { exampleOf } from './select.ts';
import { stageActivity } from './shard.ts';

const sampled = ({ finish }: Rationale): boolean => finish === 'stop' || finish === 'length';

export const unfiltered = (deps: Dependencies) =>
  stageActivity<'unfiltered'>(deps, async ({ input, task }) => {
    const { rationales, like } = input.inputs;
    const rankOf = ({ problem, sample, hinted }: Rationale) =>
      seedOf(input.run.seed, 'unfiltered', input.iteration, problem.id, sample, hinted ? 'hinted' : 'free');
    const ranks: string[] = [];
    for await (const batch of rowBatches(deps.store, rationales, Rationale))
      ranks.push(...batch.filter(sampled).map(rankOf));
    const taken = new Set(ranks.sort().slice(0, like.to - like.from));
    const examples = new RowsWriter(deps.store);
    for await (const batch of rowBatches(deps.store, rationales, Rationale))
      for (const row of batch.filter(sampled)) if (taken.has(rankOf(row))) await examples.add(exampleOf(task, row));
    return { outputs: { examples: (await examples.finish()).ref }, tokens: 0, partial: false };
  });
