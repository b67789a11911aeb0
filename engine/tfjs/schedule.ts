/**
 * The learning rate at each step: linear warm-up, then constant, linear or cosine.
 *
 *   learningRateAt({ steps: 10, warmupSteps: 2, learningRate: 1, decay: 'linear', … }, 0)   // 0.5
 */
import type { TrainSchedule } from '../../schemas/checkpoint.ts';
import { sinCos } from './portable-math.ts';

/**
 * The rate applied at `step` (0-based): lr·(step + 1)/warmup during warm-up; then, with u = (step − warmup)/(steps − warmup),
 * lr · 1, 1 − u or (1 + cos πu)/2. The first step after warm-up has the full rate; zero would be the step after the last.
 */
export function learningRateAt(schedule: TrainSchedule, step: number): number {
  const { steps, warmupSteps, learningRate, decay } = schedule;
  if (step < warmupSteps) return (learningRate * (step + 1)) / warmupSteps;
  if (decay === 'constant') return learningRate;
  const done = (step - warmupSteps) / (steps - warmupSteps);
  return learningRate * (decay === 'linear' ? 1 - done : (1 + sinCos(Math.PI * done)[1]) / 2);
}
