/**
 * Adam with bias correction and clipping by global norm, over all weights as one vector.
 *
 * Kingma & Ba 2015, algorithm 1, with ε outside the corrected root as there: w −= η·m̂/(√v̂ + ε). The corrections are folded
 * into the two numbers of `stepScalars`, so that nothing but them depends on the step.
 */
import type { TrainSchedule } from '../../schemas/checkpoint.ts';
import type { Kernels } from './kernels.ts';

/** Enters the fingerprint: raise it with every change of training that can move a bit. */
export const TRAINER_VERSION = 1;

/** Everything that a step changes; each [layout.size] float32. */
export interface TrainState<V> {
  weights: V;
  /** Running mean of the gradient. */
  first: V;
  /** Running mean of its square. */
  second: V;
}

/** The numbers of one step, each a float32 scalar. */
export interface StepScalars<V> {
  /** 1 / predicted tokens: makes the summed loss a mean. */
  inverseTokens: V;
  /** η·√(1 − β₂ᵗ)/(1 − β₁ᵗ) */
  stepSize: V;
  /** ε·√(1 − β₂ᵗ) */
  epsilon: V;
}

/** base to the power of a whole number, by multiplications alone: `**` may differ between versions of V8. */
function power(base: number, exponent: number): number {
  let result = 1;
  for (let factor = base, rest = exponent; rest > 0; rest = Math.floor(rest / 2), factor *= factor) {
    if (rest % 2 === 1) result *= factor;
  }
  return result;
}

/** The scalars of `step` (0-based: t = step + 1). */
export function stepScalars(
  schedule: TrainSchedule,
  step: number,
  learningRate: number,
  tokens: number,
): StepScalars<number> {
  const root = Math.sqrt(1 - power(schedule.beta2, step + 1));
  return {
    inverseTokens: 1 / tokens,
    stepSize: (learningRate * root) / (1 - power(schedule.beta1, step + 1)),
    epsilon: schedule.epsilon * root,
  };
}

/** The state after one step; `gradient` [layout.size] is that of the summed loss. Nothing given is changed. */
export function adamStep<V>(
  k: Kernels<V>,
  schedule: TrainSchedule,
  { weights, first, second }: TrainState<V>,
  gradient: V,
  { inverseTokens, stepSize, epsilon }: StepScalars<V>,
): TrainState<V> {
  // ‖g‖ = √(2·Σg²/2)·inverse; a zero gradient gives min(1, ∞) = 1.
  const norm = k.mul(k.sqrt(k.mul(k.l2Loss(gradient), k.scalar(2))), inverseTokens);
  const clip = k.minimum(k.scalar(1), k.div(k.scalar(schedule.clipNorm), norm));
  const g = k.mul(gradient, k.mul(clip, inverseTokens));
  const moved = k.mul(k.sub(g, first), k.scalar(1 - schedule.beta1));
  const newFirst = k.add(first, moved);
  const square = k.square(g);
  const spread = k.mul(k.sub(square, second), k.scalar(1 - schedule.beta2));
  const newSecond = k.add(second, spread);
  const direction = k.div(newFirst, k.add(k.sqrt(newSecond), epsilon));
  return { weights: k.sub(weights, k.mul(direction, stepSize)), first: newFirst, second: newSecond };
}
