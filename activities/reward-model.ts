/**
 * reward-model: trains an outcome reward model, a head that says of a rationale how likely it is right, on all that were judged.
 *
 *   reward: { use: 'reward-model', in: { correct: ['judged.correct'], incorrect: ['judged.incorrect'], from: '$base' } }
 *
 * Binary cross-entropy on each rationale's verdict, behind the plain prompt; problems that all or none of the samples solve
 * count too, which pairs of right and wrong leave out. Nothing judged: the head stays zero, and every candidate ties.
 * Sources: Cobbe et al., arXiv:2110.14168 §4.2; for SQL He et al., arXiv:2502.13550.
 */
import type { LabelledRow } from '../engine/engine.ts';
import type { Judged } from '../schemas/verdict.ts';
import { labelledRationales, shuffledLabels } from './labelled.ts';
import { exampleOf } from './select.ts';
import type { ShardWork } from './shard.ts';
import { trainingActivity, trainOn } from './training.ts';

export const rewardModel = trainingActivity<'reward-model'>(train);

async function train(shard: ShardWork<'reward-model'>) {
  const { deps, input, task } = shard;
  const { inputs, options, run } = input;
  const problems = await labelledRationales(deps.store, inputs);
  const rowOf = ({ rationale }: Judged, correct: boolean): LabelledRow => {
    const { prompt, completion, completionTokens } = exampleOf(task, rationale);
    return { prompt, completion, ...(completionTokens && { completionTokens }), correct };
  };
  async function* rows() {
    for (const labelled of problems.values()) {
      const { right, wrong } = options.labels === 'shuffled' ? shuffledLabels(run.seed, labelled) : labelled;
      yield await Promise.resolve([...right.map((row) => rowOf(row, true)), ...wrong.map((row) => rowOf(row, false))]);
    }
  }
  const steps = problems.size > 0 ? options.steps : { first: 0, growth: 1, add: 0 };
  const made = await trainOn(shard, {
    from: inputs.from,
    options: { ...options, steps },
    rows: rows(),
    rewardModel: true,
  });
  return { outputs: { model: made.model }, tokens: made.tokens, partial: false };
}
