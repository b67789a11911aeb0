/**
 * The training rows of a policy gradient: what each sample's reward says against its group, the samples of one problem.
 *
 *   advantagesOf([1, 0, 0, 1], { objective: 'grpo' })      // [1, -1, -1, 1]
 *
 * STaR's objective is the expected reward, 1 where the answer is right (arXiv:2203.14465 equation 1); its gradient's estimate
 * from samples is REINFORCE. A baseline of the other samples leaves its expectation as it is (arXiv:2402.14740 §3);
 * GRPO divides by the group's deviation as well (arXiv:2402.03300 §4.1).
 */
import type { PolicyRow, TrainRequest } from '../engine/engine.ts';
import type { Model } from '../schemas/checkpoint.ts';
import { Sample } from '../schemas/sample.ts';
import type { StageInputs, StageOptions } from '../schemas/stage.ts';
import type { Slice } from '../schemas/port-values.ts';
import { rowBatches } from '../store/rows.ts';
import type { Store } from '../store/store.ts';
import { openModel, trainedModel } from './sample.ts';

type Options = Pick<StageOptions<'fine-tune'>, 'objective' | 'baseline' | 'clip' | 'kl'>;

export const DEFAULT_CLIP = 0.2;

/** In order. A group whose rewards are all one says nothing under `grpo`. Pure. */
export function advantagesOf(
  rewards: readonly number[],
  { objective, baseline }: Pick<Options, 'objective' | 'baseline'>,
): number[] {
  const sum = rewards.reduce((total, one) => total + one, 0);
  const others = rewards.length - 1;
  if (objective === 'reinforce')
    return rewards.map((one) => one - (baseline === 'others' && others > 0 ? (sum - one) / others : 0));
  const mean = sum / rewards.length;
  const deviation = Math.sqrt(rewards.reduce((total, one) => total + (one - mean) ** 2, 0) / rewards.length);
  return rewards.map((one) => (deviation === 0 ? 0 : (one - mean) / deviation));
}

/**
 * The engine's rows. Of what has no advantage nothing is learnt, unless it is to be held to a reference: else it is left out,
 * so that every step has something to learn. That makes steps longer by one factor, which the optimizer does not see.
 */
export async function policyRows(store: Store, samples: Slice, options: Options): Promise<PolicyRow[]> {
  const groups = new Map<string, Sample[]>();
  for await (const batch of rowBatches(store, samples, Sample))
    for (const row of batch) groups.set(row.problem, [...(groups.get(row.problem) ?? []), row]);
  return [...groups.values()].flatMap((group) => {
    const advantages = advantagesOf(
      group.map(({ reward }) => reward),
      options,
    );
    return group.flatMap(({ prompt, completion, completionTokens }, n) => {
      const advantage = advantages[n] as number;
      if (advantage === 0 && options.kl === undefined) return [];
      return [{ prompt, completion, ...(completionTokens && { completionTokens }), advantage }];
    });
  });
}

/** What the engine is asked for. The models stay frozen while it trains. */
export async function policyRequest(
  store: Store,
  { sampler, reference }: StageInputs<'fine-tune'>,
  { objective, clip, kl }: Options,
): Promise<NonNullable<TrainRequest['policy']>> {
  const frozen = (model: Parameters<typeof trainedModel>[0] | undefined) =>
    openModel(store, trainedModel(model as Model));
  return {
    ...(objective === 'grpo' && { ratio: { sampler: await frozen(sampler), clip: clip ?? DEFAULT_CLIP } }),
    ...(kl !== undefined && { kl: { reference: await frozen(reference), by: kl } }),
  };
}
