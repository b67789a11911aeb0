/**
 * Policy gradient: samples of a prompt with their advantages, and what their tokens have to learn.
 *
 *   const samples = await readSamples('samples.jsonl', form, config);
 *   const loss = learn(k, config, learner, inputs, pieces, policy(k, sampleInputs, { kind: 'policy', clip: 0.2 }));
 *
 * Of a sample with advantage A, summed over its tokens, costs c = −log π:
 * - without `clip` the loss is A·c, whose gradient is −A·∇log π (REINFORCE, Williams 1992);
 * - with it −min(ρ·A, clip(ρ, 1 − ε, 1 + ε)·A), ρ = π / π_sampler of the token, the sampler's frozen, and the mean over the
 *   tokens in the place of the sum (GRPO, arXiv:2402.03300, equation 3; the ratio is PPO's, arXiv:1707.06347);
 * - with `kl` plus kl·(r − log r − 1), r = π_reference / π: the same paper's estimate of the divergence (equation 4).
 *
 * With s the sign of A the clipped term is |A|·min(s·ρ, s + ε), and it learns where s·ρ < s + ε.
 */
import { z } from 'zod';
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import { assemble, completionShape, readLines, tokensOf } from './batches.ts';
import type { Batch, TokenRow } from './batches.ts';
import type { Objective } from './gradient.ts';
import type { Kernels } from './kernels.ts';
import type { PromptForm } from './prompt-form.ts';

export interface PolicyAim {
  kind: 'policy';
  /** ε of the ratio; absent: no ratio. */
  clip?: number;
  /** How much a step from the reference costs; absent: nothing. */
  kl?: number;
}

/** One sample; log-probabilities of its predicted tokens under other models, where the aim reads them. */
export interface Sample extends TokenRow {
  advantage: number;
  sampled?: ArrayLike<number>;
  reference?: ArrayLike<number>;
}

/** A ratio beyond e²⁰ is as good as infinite, and its exponential still a number. */
const LARGEST_LOG = 20;

const Row = z.strictObject({ prompt: z.string(), ...completionShape, advantage: z.number() });

/** Reads JSONL of PolicyRow; throws as `readRows`. */
export const readSamples = (file: string, form: PromptForm, config: DecoderConfig): Promise<Sample[]> =>
  readLines(file, Row, ({ advantage, completionTokens, ...row }, invalid) => ({
    ...tokensOf({ ...row, ...(completionTokens && { completionTokens }) }, form, config, invalid),
    advantage,
  }));

/** How many tokens of a row are predicted. */
export const predictedOf = ({ tokens, promptLength }: TokenRow): number => tokens.length - Math.max(1, promptLength);

/** As `assemble`. Throws RangeError where a sample lacks what the aim reads. */
export function assembleSamples(samples: readonly Sample[], pad: number, { clip, kl }: PolicyAim): Batch {
  const shares = samples.map((sample) => (clip === undefined ? 1 : 1 / Math.max(1, predictedOf(sample))));
  const ofTokens = (one: (sample: Sample, index: number) => number | ArrayLike<number> | undefined) => {
    const values = samples.flatMap((sample, index) => {
      const value = one(sample, index);
      const length = predictedOf(sample);
      if (typeof value === 'number') return Array<number>(length).fill(value);
      if (value?.length !== length) throw new RangeError(`sample ${index} has ${length} tokens, not ${value?.length}`);
      return Array.from(value);
    });
    return { values: Float32Array.from(values), shape: [values.length] };
  };
  return {
    ...assemble(samples, pad),
    aim: {
      count: samples.length,
      inputs: {
        sign: ofTokens(({ advantage }) => Math.sign(advantage)),
        size: ofTokens(({ advantage }, index) => Math.abs(advantage) * shares[index]!),
        ...(clip !== undefined && { sampled: ofTokens(({ sampled }) => sampled) }),
        ...(kl !== undefined && {
          reference: ofTokens(({ reference }) => reference),
          share: ofTokens((_, index) => shares[index]!),
        }),
      },
    },
  };
}

/** All [M], one number for each predicted token. */
export interface PolicyInputs<V> {
  /** −1, 0 or 1, of the sample's advantage. */
  sign: V;
  /** The advantage's amount, times `share`. */
  size: V;
  /** Log-probabilities under the sampler and the reference. */
  sampled: V;
  reference: V;
  /** 1, or with a ratio one over the sample's length. */
  share: V;
}

/** Summed over the samples. */
export const policy =
  <V>(k: Kernels<V>, inputs: PolicyInputs<V>, { clip, kl }: PolicyAim): Objective<V> =>
  (costs) => {
    const { sign, size } = inputs;
    const exp = (x: V) => k.exp(k.minimum(x, k.scalar(LARGEST_LOG)));
    let loss: V;
    let weights: V;
    if (clip === undefined) {
      weights = k.mul(sign, size);
      loss = k.sum(k.mul(weights, costs), 0);
    } else {
      const ratio = exp(k.mul(k.add(costs, inputs.sampled), k.scalar(-1)));
      const signed = k.mul(ratio, sign);
      const bound = k.add(sign, k.scalar(clip));
      loss = k.mul(k.sum(k.mul(size, k.minimum(signed, bound)), 0), k.scalar(-1));
      weights = k.reluGrad(k.mul(size, signed), k.sub(bound, signed));
    }
    if (kl !== undefined) {
      const log = k.add(costs, inputs.reference);
      const weighed = k.mul(inputs.share, k.scalar(kl));
      const less = k.sub(exp(log), k.scalar(1));
      loss = k.add(loss, k.sum(k.mul(weighed, k.sub(less, log)), 0));
      weights = k.add(weights, k.mul(weighed, less));
    }
    return { loss, weights: k.reshape(weights, [-1, 1]) };
  };
