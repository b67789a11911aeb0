/**
 * Direct preference optimization: pairs of completions of one prompt, and what their tokens have to learn.
 *
 *   const pairs = await readPairs('pairs.jsonl', form, config);
 *   const batch = assemblePairs(pairs.slice(0, 8), form.pad);
 *   const loss = learn(k, config, learner, inputs, pieces, preference(k, pairInputs, 0.1));
 *
 * The loss of a pair is −log σ(β·[(log π(y⁺) − log ref(y⁺)) − (log π(y⁻) − log ref(y⁻))]) (Rafailov et al., arXiv:2305.18290,
 * equation 7): the cross-entropy of two classes with logits β·(log π − log ref), of which the first is right. Hence its
 * gradient is that of the likelihood, every token weighted by what its completion's class has to learn.
 */
import { z } from 'zod';
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import { assemble, completionShape, readLines, tokensOf } from './batches.ts';
import type { Batch, TokenRow } from './batches.ts';
import type { Objective } from './gradient.ts';
import type { Kernels } from './kernels.ts';
import type { PromptForm } from './prompt-form.ts';

export interface TokenPair {
  /** Of the longer completion: what the order of the data looks at. */
  tokens: Int32Array;
  chosen: TokenRow;
  rejected: TokenRow;
  /** Log-probabilities under the reference, of both. */
  reference: readonly [chosen: number, rejected: number];
}

const Preferred = z.strictObject({ ...completionShape, reference: z.number() });
const Row = z.strictObject({ prompt: z.string(), chosen: Preferred, rejected: Preferred });

/** Reads JSONL of PreferenceRow; throws as `readRows`. */
export const readPairs = (file: string, form: PromptForm, config: DecoderConfig): Promise<TokenPair[]> =>
  readLines(file, Row, ({ prompt, ...pair }, invalid) => {
    const row = ({ completion, completionTokens }: z.output<typeof Preferred>) =>
      tokensOf({ prompt, completion, ...(completionTokens && { completionTokens }) }, form, config, invalid);
    const [chosen, rejected] = [row(pair.chosen), row(pair.rejected)];
    const tokens = chosen.tokens.length >= rejected.tokens.length ? chosen.tokens : rejected.tokens;
    return { tokens, chosen, rejected, reference: [pair.chosen.reference, pair.rejected.reference] };
  });

/** As `assemble`, the rows of each pair one after the other: chosen, rejected, chosen, … */
export function assemblePairs(pairs: readonly TokenPair[], pad: number): Batch {
  const rows = pairs.flatMap(({ chosen, rejected }) => [chosen, rejected]);
  const batch = assemble(rows, pad);
  const rowOf = batch.positions.map((position) => Math.floor(position / batch.time));
  const reference = Float32Array.from(pairs.flatMap((pair) => pair.reference));
  return {
    ...batch,
    aim: {
      count: pairs.length,
      inputs: {
        rowOf: { values: rowOf, shape: [rowOf.length] },
        rowCount: { values: Int32Array.of(rows.length), shape: [] },
        preferred: { values: new Int32Array(pairs.length), shape: [pairs.length] },
        reference: { values: reference, shape: [rows.length, 1] },
      },
    },
  };
}

/** Of P pairs, 2·P rows. */
export interface PreferenceInputs<V> {
  /** [M] int32: the row of each predicted token. */
  rowOf: V;
  /** int32 scalar 2·P */
  rowCount: V;
  /** [P] int32, zeros: the class that is right. */
  preferred: V;
  /** [2·P, 1] */
  reference: V;
}

/** Summed over the pairs. */
export const preference =
  <V>(k: Kernels<V>, { rowOf, rowCount, preferred, reference }: PreferenceInputs<V>, beta: number): Objective<V> =>
  (costs) => {
    const ofRows = k.segmentSum(k.reshape(costs, [-1, 1]), rowOf, rowCount);
    // β·(log π − log ref): costs are −log π.
    const ratios = k.reshape(k.mul(k.add(ofRows, reference), k.scalar(-beta)), [-1, 2]);
    const [losses, gradient] = k.crossEntropy(ratios, preferred, 2);
    const ofCosts = k.reshape(k.mul(gradient, k.scalar(-beta)), [-1, 1]);
    return { loss: k.sum(losses, 0), weights: k.gather(ofCosts, rowOf) };
  };
