/**
 * perplexity: what held-out text costs a model by kind of token; of one that thinks, as it is, behind its thoughts and behind those of
 * other texts. What it comes to stands in the iteration's record; no decision reads it.
 *
 *   losses: { use: 'perplexity', in: { model: 'next', test: '$test' } }
 *
 * Thoughts are shuffled within a shard: another shard size may give other thoughts to shuffle in, and so another `shuffled`.
 */
import { lossesOf, LossRow } from '../schemas/losses.ts';
import type { Losses } from '../schemas/losses.ts';
import { Problem } from '../schemas/problem.ts';
import type { Rows } from '../schemas/port-values.ts';
import { readRows, rowBatches, writeRows } from '../store/rows.ts';
import type { Store } from '../store/store.ts';
import type { Dependencies } from './dependencies.ts';
import { failure } from './failures.ts';
import { openModel, trainedModel } from './sample.ts';
import { stageActivity } from './shard.ts';
import type { ShardWork } from './shard.ts';

export const perplexity = (deps: Dependencies) => stageActivity<'perplexity'>(deps, costShard);

async function costShard({ deps, input, task, engine, busy, control }: ShardWork<'perplexity'>) {
  const { inputs } = input;
  const problems = await readRows(deps.store, inputs.test, Problem);
  const scorer = await engine();
  const { parts: partsOf } = task;
  // resolve has refused both before.
  if (!partsOf || !scorer.costs)
    throw failure('RecipeInvalid', `${input.run.task} on ${input.run.engine} has no costs`);
  const parts = problems.map((problem) => partsOf(problem));
  const model = await openModel(deps.store, trainedModel(inputs.model));
  const rows = problems.map((problem, n) => ({
    prompt: task.prompt.free(problem),
    parts: parts[n]!.map(({ text }) => text),
  }));
  const costs = await busy('engine', () => scorer.costs!({ model, rows }, control));
  const losses = problems.map(({ id, stratum }, n): LossRow => {
    const { plain, thinking, shuffled } = costs[n]!;
    const own = parts[n]!.map(({ kind, text }, at) => ({
      ...{ kind, text, plain: plain[at]! },
      ...(thinking && { thinking: thinking[at]! }),
      ...(shuffled && { shuffled: shuffled[at]! }),
    }));
    return { problem: id, stratum, parts: own };
  });
  return { outputs: { losses: await writeRows(deps.store, losses) }, tokens: 0, partial: false };
}

/** What the rows of all shards come to. */
export async function lossesIn(store: Store, found: Rows): Promise<Losses> {
  const rows: LossRow[] = [];
  for await (const batch of rowBatches(store, found, LossRow)) rows.push(...batch);
  return { ...lossesOf(rows), rows: found.shards };
}
