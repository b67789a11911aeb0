/**
 * prefer: trains a verifier by direct preference optimization, from the model that is its reference and on pairs of rationales.
 *
 *   verifier: { use: 'prefer', in: { pairs: 'pairs', from: '$base' } }
 *
 * The reference's log-probabilities are computed once, before it trains, and stand in the training rows. No pairs: the
 * verifier is the reference. Sources: Rafailov et al., arXiv:2305.18290; as a verifier Hosseini et al., arXiv:2402.06457.
 */
import type { PreferenceRow, TrainRow } from '../engine/engine.ts';
import { Pair } from '../schemas/pair.ts';
import { rowBatches } from '../store/rows.ts';
import { trainedModel } from './sample.ts';
import { scoreRows } from './score.ts';
import type { ShardWork } from './shard.ts';
import { trainingActivity, trainOn } from './training.ts';

export const prefer = trainingActivity<'prefer'>(train);

async function train(shard: ShardWork<'prefer'>) {
  const { inputs, options } = shard.input;
  const reference = trainedModel(inputs.from);
  if (inputs.pairs.to === inputs.pairs.from) return { outputs: { model: reference }, tokens: 0, partial: false };
  async function* rows(): AsyncGenerator<PreferenceRow[]> {
    for await (const pairs of rowBatches(shard.deps.store, inputs.pairs, Pair)) {
      const sides = pairs.flatMap(({ prompt, chosen, rejected }) =>
        [chosen, rejected].map((one) => rowOf(prompt, one)),
      );
      const scores = await scoreRows(shard, reference, sides);
      yield pairs.map(({ prompt, chosen, rejected }, n) => ({
        prompt,
        chosen: { ...withoutPrompt(chosen), reference: scores[2 * n] as number },
        rejected: { ...withoutPrompt(rejected), reference: scores[2 * n + 1] as number },
      }));
    }
  }
  const made = await trainOn(shard, { from: reference, options, rows: rows(), preference: { beta: options.beta } });
  return { outputs: { model: made.model }, tokens: made.tokens, partial: false };
}

const withoutPrompt = ({ completion, completionTokens }: Pair['chosen']) => ({
  completion,
  ...(completionTokens && { completionTokens }),
});
const rowOf = (prompt: string, side: Pair['chosen']): TrainRow => ({ prompt, ...withoutPrompt(side) });
