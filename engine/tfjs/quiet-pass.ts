/**
 * One pass over texts with their thoughts: what the model says as it is, within its thoughts, and behind them.
 *
 *   const pass = quietPass(k, config, learner, inputs, quiet);      // costs −log p [M]
 *   pass.back(weights);                                             // of each of them [M, 1]; the learner has the rest
 *
 * Behind a thought h = h_text + w·(h_thought − h_text) goes into the output layer: the rows of the last norm at the token before the
 * one that is predicted, in the text as it is and behind the thought; w is one number that three layers with ReLU between them make of both. Its last
 * layer is zero at first, so that h is h_text bit for bit. Source: Zelikman et al., arXiv:2403.09629 §4.3 and the released code, which mixes
 * hidden states, not logits, and leaves w unbounded.
 *
 * Rows in the order of `inputs.positions`: of the text, of thoughts, behind thoughts. V tokens; their start and end are V and V + 1.
 */
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import { affine } from './affine.ts';
import type { Step } from './affine.ts';
import { embedding } from './embedding.ts';
import type { Embedding } from './embedding.ts';
import type { Kernels } from './kernels.ts';
import { throughLayers } from './layers.ts';
import type { Learner } from './learner.ts';
import type { PassInputs } from './pass-inputs.ts';

/** What a batch with thoughts says besides its tokens; all int32. */
export interface QuietInputs<V> {
  /** [3] how many of the M rows are of the text, of thoughts, and behind thoughts; `texts`: the first of them as a scalar. */
  sizes: V;
  texts: V;
  /** Of each row behind a thought: the row of the text that predicts the same token, and its thought. */
  partner: V;
  behind: V;
  /** The thought that each row of thoughts belongs to; `thoughts`: how many there are, scalar. */
  within: V;
  thoughts: V;
  /** [3] −1, thoughts of each position, thoughts of a row. */
  passesShape: V;
}

export type QuietPassInputs<V> = PassInputs<V> & { quiet: QuietInputs<V> };

/** What ids stand for: the vocabulary, then start and end of thoughts. */
export const thoughtEmbedding = <V>(
  k: Kernels<V>,
  config: DecoderConfig,
  learner: Learner<V>,
  inputs: PassInputs<V>,
): Embedding<V> => embedding(k, config, learner, inputs, ['start', 'end']);

/** Relu; `back` frees nothing. */
function rectified<V>(k: Kernels<V>, x: V): Step<V> {
  const value = k.relu(x);
  return { value, back: (dValue) => k.reluGrad(dValue, value) };
}

/** h [A, d] of two rows each; `back` gives the gradients of both. */
function mixture<V>(k: Kernels<V>, { dModel }: DecoderConfig, learner: Learner<V>, text: V, thought: V) {
  const first = affine(k, learner, 'mix0', k.concat([text, thought], 1));
  const one = rectified(k, first.value);
  const second = affine(k, learner, 'mix1', one.value);
  const two = rectified(k, second.value);
  const weight = affine(k, learner, 'mix2', two.value);
  const difference = k.sub(thought, text);
  return {
    value: k.add(text, k.mul(difference, weight.value)),
    back(dValue: V): { text: V; thought: V } {
      const dWeight = k.sum(k.mul(dValue, difference), 1, true);
      const dBoth = first.back(one.back(second.back(two.back(weight.back(dWeight)))));
      const [dText, dThought] = k.splitSizes(dBoth, k.ints([dModel, dModel]), 2, 1) as [V, V];
      const through = k.mul(dValue, weight.value);
      return { text: k.add(k.sub(dValue, through), dText), thought: k.add(through, dThought) };
    },
  };
}

export interface QuietPass<V> {
  /** [M] */
  costs: V;
  /** @param weights [M, 1]: the derivative of the loss by each cost. */
  back(weights: V): void;
}

/** Frees nothing but what the layers do: an eager run ends it with its scope. */
export function quietPass<V>(
  k: Kernels<V>,
  config: DecoderConfig,
  learner: Learner<V>,
  inputs: QuietPassInputs<V>,
): QuietPass<V> {
  const { sizes, texts, partner } = inputs.quiet;
  const cut = (x: V) => k.splitSizes(x, sizes, 3, 0) as [V, V, V];
  const words = thoughtEmbedding(k, config, learner, inputs);
  const final = throughLayers(k, config, learner, inputs, words.value);
  const [text, thought, behind] = cut(final.value);
  const mixed = mixture(k, config, learner, k.gather(text, partner), behind);
  const rows = k.concat([text, thought, mixed.value]);
  const [costs, dLogits] = k.crossEntropy(learner.logits(rows), inputs.targets, learner.classes);
  return {
    costs,
    back(weights) {
      const [dText, dThought, dMixed] = cut(learner.logitsBack(k.mul(dLogits, weights), rows));
      const both = mixed.back(dMixed);
      const dTexts = k.add(dText, k.segmentSum(both.text, partner, texts));
      words.back(final.back(k.concat([dTexts, dThought, both.thought])));
    },
  };
}
