/**
 * One training pass of the decoder: the loss, and what each weight has to learn, the backward pass written by hand.
 *
 *   const learner = new FullLearner(kernels, layout, weights);     // or AdapterLearner
 *   const loss = learn(kernels, config, learner, inputs);
 *   const gradient = learner.gradient();
 *
 * The layers are in layers.ts; output layer and loss run on the rows that predict a completion token only. With a large
 * vocabulary the logits of all predicted tokens would take gigabytes: they are made piece by piece, each piece when the one
 * before has gone back (pass-inputs.ts).
 *
 * M = predicted tokens.
 */
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import { embedding } from './embedding.ts';
import type { Kernels } from './kernels.ts';
import { throughLayers } from './layers.ts';
import type { Learner } from './learner.ts';
import type { PassInputs } from './pass-inputs.ts';

/** What is minimised, of −log p of each predicted token [M]: the loss [scalar], and its derivative by each of them [M, 1]. */
export type Objective<V> = (costs: V) => { loss: V; weights: V };

/**
 * Runs the pass; the gradients are those of the loss [scalar]: summed over the M predicted tokens (over the rows' labels, where
 * `learner` has a reward head), or what `objective` says.
 * `learner` gives the weights and takes what they have to learn. `pieces`: how many there are in inputs.pieces.
 */
export function learn<V>(
  k: Kernels<V>,
  config: DecoderConfig,
  learner: Learner<V>,
  inputs: PassInputs<V>,
  pieces = 1,
  objective?: Objective<V>,
): V {
  const words = embedding(k, config, learner, inputs);
  const final = throughLayers(k, config, learner, inputs, words.value);
  const cut = pieces > 1;
  const normed = cut ? k.splitSizes(final.value, inputs.pieces, pieces, 0) : [final.value];
  const targets = cut ? k.splitInts(inputs.targets, inputs.pieces, pieces) : [inputs.targets];
  const losses: V[] = [];
  const dNormed: V[] = [];
  /** −log p of a piece's tokens, and its derivative by their logits. */
  const costsOf = (n: number, before: V | undefined): [costs: V, dLogits: V] => {
    const logits = learner.logits(before === undefined ? normed[n]! : k.after(normed[n]!, before));
    const made = k.crossEntropy(logits, targets[n]!, learner.classes);
    k.free(logits);
    return made;
  };
  // An objective reads all tokens before one of them can go back: several pieces are made twice.
  let first: [costs: V, dLogits: V] | undefined;
  let weights: V[] | undefined;
  if (objective !== undefined) {
    const costs: V[] = [];
    for (const n of normed.keys()) {
      first = costsOf(n, costs[n - 1]);
      costs.push(first[0]);
      if (cut) k.free(first[1]);
    }
    const aim = objective(k.concat(costs));
    losses.push(aim.loss);
    weights = cut ? k.splitSizes(aim.weights, inputs.pieces, pieces, 0) : [aim.weights];
  }
  for (const [n, rows] of normed.entries()) {
    const [costs, own] = first !== undefined && !cut ? first : costsOf(n, dNormed[n - 1]);
    if (objective === undefined) losses.push(k.sum(costs, 0));
    const dLogits = weights === undefined ? own : k.mul(own, weights[n]!);
    dNormed.push(learner.logitsBack(dLogits, rows));
    k.free(costs, own);
    if (dLogits !== own) k.free(dLogits);
  }

  // Backward.
  words.back(final.back(k.concat(dNormed)));
  return losses.reduce((a, b) => k.add(a, b));
}
