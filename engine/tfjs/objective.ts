/**
 * What a training step may minimise besides the likelihood of completions, and what of a batch that needs beside its tokens.
 *
 *   const step = new TrainStep(layout, schedule, state, [], undefined, { kind: 'policy', clip: 0.2 });
 *   step.run([assembleSamples(samples, pad, aim)], 0, 1e-3);
 *
 * An aim is numbers alone: it decides what a recorded graph computes, and a batch what is fed to it.
 */
import type { Objective } from './gradient.ts';
import { CODES } from './kernels.ts';
import type { Kernels } from './kernels.ts';
import { policy } from './policy.ts';
import type { PolicyAim, PolicyInputs } from './policy.ts';
import { preference } from './preference.ts';
import type { PreferenceInputs } from './preference.ts';
import { QUIET_INPUTS } from './quiet.ts';
import type { QuietAim } from './quiet.ts';

/** `reward-model`: the last layer is the reward head, and a row predicts its label (reward-model.ts). */
export type Aim = { kind: 'preference'; beta: number } | PolicyAim | { kind: 'reward-model' } | QuietAim;

/** A batch as an aim reads it. */
export interface AimBatch {
  /** The loss of a step is the mean over so many of these, in all its batches: pairs, samples, or labels. */
  count: number;
  inputs: Record<string, { values: Int32Array | Float32Array; shape: number[] }>;
}

/** Names of the inputs, in the order they are fed in, and the codes of their element types. */
export function aimInputs(aim: Aim): [name: string, type: number][] {
  const { int32, float32 } = CODES;
  if (aim.kind === 'preference')
    return [
      ['rowOf', int32],
      ['rowCount', int32],
      ['preferred', int32],
      ['reference', float32],
    ];
  if (aim.kind === 'reward-model') return [];
  if (aim.kind === 'quiet') return QUIET_INPUTS;
  const names = ['sign', 'size'];
  if (aim.clip !== undefined) names.push('sampled');
  if (aim.kl !== undefined) names.push('reference', 'share');
  return names.map((name) => [name, float32]);
}

/**
 * @param inputs those that `aimInputs` names.
 * @returns undefined: what the batch predicts is learnt as it is.
 */
export function objectiveOf<V>(
  k: Kernels<V>,
  aim: Exclude<Aim, QuietAim>,
  inputs: Record<string, V>,
): Objective<V> | undefined {
  if (aim.kind === 'reward-model') return undefined;
  if (aim.kind === 'preference') return preference(k, inputs as unknown as PreferenceInputs<V>, aim.beta);
  return policy(k, inputs as unknown as PolicyInputs<V>, aim);
}
