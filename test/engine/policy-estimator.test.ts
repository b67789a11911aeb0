/**
 * The REINFORCE estimator against the true gradient of the expected reward: over all completions of a toy vocabulary, and in the
 * mean of what the sampler really samples.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { flatten, parameterLayout } from '../../engine/tfjs/layout.ts';
import { tf } from '../../engine/tfjs/native.ts';
import type { Tensor } from '../../engine/tfjs/native.ts';
import { assembleSamples } from '../../engine/tfjs/policy.ts';
import type { PolicyAim, Sample } from '../../engine/tfjs/policy.ts';
import { Sampler } from '../../engine/tfjs/sampler.ts';
import { TrainStep } from '../../engine/tfjs/step.ts';
import { TrainSchedule } from '../../schemas/checkpoint.ts';
import { randomModel, seedOf } from './models.ts';
import { plainLoss } from './plain-loss.ts';

const REINFORCE: PolicyAim = { kind: 'policy' };
// No clipping of the gradient: the first moment after one step is a tenth of it.
const schedule = TrainSchedule.parse({
  ...{ steps: 1, learningRate: 1e-3, warmupSteps: 0, decay: 'constant', batchSize: 4, clipNorm: 1e9 },
});
const norm = (of: ArrayLike<number>) => Math.hypot(...Array.from(of));
const apart = (a: Float32Array, b: Float32Array) => norm(a.map((x, i) => x - b[i]!)) / norm(b);

describe('the REINFORCE estimator, over three tokens and an end', () => {
  const model = randomModel({ vocabSize: 5, dModel: 8, layers: 1, heads: 1, dFF: 16, context: 16 }, 4);
  const toy = {
    ...model,
    // Sharper than fresh weights: completions that differ in likelihood.
    tensors: new Map([...model.tensors].map(([name, one]) => [name, { ...one, data: one.data.map((x) => 2 * x) }])),
    tokenizer: { kind: 'pieces' as const, pieces: ['<pad>', '<end>', 'a', 'b', 'c'], pad: 0, end: 1 },
  };
  const PROMPT = [2, 4];
  const LONGEST = 3;
  const shape = parameterLayout(toy.config);
  /** Every completion: broken off, or ended within three tokens. Padding is a token like another to the sampler. */
  const completions: number[][] = [];
  const grow = (ids: number[]): void => {
    for (const id of [0, 1, 2, 3, 4]) {
      const longer = [...ids, id];
      if (id === 1 || longer.length === LONGEST) completions.push(longer);
      else grow(longer);
    }
  };
  grow([]);
  const rewardOf = (ids: number[]) => Number(ids.filter((id) => id === 3).length === 1 && ids.at(-1) === 1);
  const rowOf = (ids: number[], advantage: number): Sample => ({
    tokens: Int32Array.of(...PROMPT, ...ids),
    promptLength: PROMPT.length,
    advantage,
  });
  /** −A·∇log π of one completion, as training has it, A = 1. */
  const scores = new Map<string, Float32Array>();
  const probabilities = new Map<string, number>();
  let exact: Float32Array;
  let expected = 0;

  beforeAll(() => {
    const start = flatten(shape, toy.tensors);
    for (const ids of completions) {
      const zeros = () => new Float32Array(shape.size);
      const state = { weights: start, first: zeros(), second: zeros() };
      const step = new TrainStep(shape, schedule, state, [], 'eager', REINFORCE);
      const loss = step.run([assembleSamples([rowOf(ids, 1)], 0, REINFORCE)], 0, 1e-3);
      probabilities.set(ids.join(), Math.exp(-loss));
      scores.set(
        ids.join(),
        step.read().first.map((moment) => -moment / (1 - 0.9)),
      );
      step.dispose();
    }
    const names = [...toy.tensors.keys()];
    tf.tidy(() => {
      const variables = names.map((name) => tf.tensor(toy.tensors.get(name)!.data, toy.tensors.get(name)!.shape));
      const reward = (...values: Tensor[]) => {
        const named = new Map(names.map((name, i) => [name, values[i]!]));
        let total: any = tf.scalar(0);
        for (const ids of completions) {
          const likely: any = plainLoss(toy.config, [rowOf(ids, 1)], named);
          total = total.add(likely.mul(-1).exp().mul(rewardOf(ids)));
        }
        return total as Tensor;
      };
      const { value, grads } = tf.valueAndGrads(reward)(variables);
      expected = value.dataSync()[0]!;
      const named = names.map((name, i) => [name, { ...toy.tensors.get(name)!, data: grads[i]!.dataSync() }] as const);
      exact = flatten(shape, new Map(named) as typeof toy.tensors);
    });
  });

  /** Σ of weight · ∇log π. */
  const summed = (weightOf: (ids: number[]) => number): Float32Array => {
    const sum = new Float32Array(shape.size);
    for (const ids of completions) {
      const weight = weightOf(ids);
      const score = scores.get(ids.join())!;
      for (let i = 0; i < sum.length; i++) sum[i]! += weight * score[i]!;
    }
    return sum;
  };
  const likelihoodOf = (ids: number[]) => probabilities.get(ids.join())!;

  it('covers all completions, and its mean over them is the gradient of the expected reward', () => {
    expect(completions).toHaveLength(1 + 4 + 4 * 4 * 5);
    const total = completions.reduce((sum, ids) => sum + likelihoodOf(ids), 0);
    expect(total).toBeCloseTo(1, 4);
    expect(expected).toBeGreaterThan(0.02);
    expect(expected).toBeLessThan(0.9);
    expect(norm(exact)).toBeGreaterThan(0.05);
    expect(
      apart(
        summed((ids) => likelihoodOf(ids) * rewardOf(ids)),
        exact,
      ),
    ).toBeLessThan(1e-3);
  });

  it('is not moved by a baseline', () => {
    const less = summed((ids) => likelihoodOf(ids) * (rewardOf(ids) - 0.37));
    expect(apart(less, exact)).toBeLessThan(1e-3);
  });

  it('of what the sampler really samples comes to it within its standard error, with less noise under a baseline', async () => {
    const sampler = new Sampler(toy);
    const COUNT = 12_000;
    const sampled = await sampler.sample({
      rows: Array.from({ length: COUNT }, (_, n) => ({ prompt: 'ac', seed: seedOf(n), maxNewTokens: LONGEST })),
      sampling: { temperature: 1, topP: 1 },
    });
    sampler.close();
    const counts = new Map<string, number>();
    for (const { tokenIds } of sampled) counts.set(tokenIds.join(), (counts.get(tokenIds.join()) ?? 0) + 1);
    const shareOf = (ids: number[]) => (counts.get(ids.join()) ?? 0) / COUNT;
    expect(completions.reduce((sum, ids) => sum + shareOf(ids), 0)).toBeCloseTo(1, 9);

    const noise = [0, expected].map((baseline) => {
      const worth = (ids: number[]) => rewardOf(ids) - baseline;
      const mean = summed((ids) => shareOf(ids) * worth(ids));
      // Squared distance of one sample from the truth, on average: what the mean's own is expected to be, times the count.
      const variance = completions.reduce((sum, ids) => {
        const score = scores.get(ids.join())!;
        const off = score.map((one, i) => one * worth(ids) - exact[i]!);
        return sum + likelihoodOf(ids) * norm(off) ** 2;
      }, 0);
      const error = Math.sqrt(variance / COUNT);
      expect(norm(mean.map((x, i) => x - exact[i]!))).toBeLessThan(2 * error);
      expect(error).toBeLessThan(0.2 * norm(exact));
      return error;
    });
    expect(noise[1]!).toBeLessThan(noise[0]!);
  });
});
