/**
 * The next token from a row of logits: temperature, then nucleus, then inverse CDF.
 *
 *   pick(logits, { temperature: 1, topP: 0.9 }, uniform(seed, t))
 *
 * A pure function of its arguments, in double precision with portable-math, so that a token depends on no neighbour, slot
 * or version of Node. Source of the nucleus: Holtzman et al., arXiv:1904.09751.
 */
import type { Sampling } from '../engine.ts';
import { exp } from './portable-math.ts';

/**
 * @param logits [vocab] float32.
 * @param u in [0, 1).
 * @returns a token id. Temperature 0: the largest logit, the lowest id of equals.
 *
 * Nucleus: ids by falling logit (equals by id) up to and including the one at which their sum reaches topP.
 * Where no logit is comparable (NaN) the answer is id 0: a broken model gives wrong text, not an error.
 */
export function pick(logits: Float32Array, { temperature, topP }: Sampling, u: number): number {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id]! > logits[best]!) best = id;
  if (temperature === 0) return best;
  const weights = new Float64Array(logits.length);
  let total = 0;
  for (let id = 0; id < logits.length; id++) {
    weights[id] = exp((logits[id]! - logits[best]!) / temperature);
    total += weights[id]!;
  }
  if (!Number.isFinite(total)) return best;
  if (topP >= 1) return fall(weights, undefined, weights.length, u * total);
  // By logit, not by weight: exp may round two unlike logits to one weight.
  const order = Array.from(weights.keys()).sort((a, b) => logits[b]! - logits[a]! || a - b);
  let kept = 0;
  let mass = 0;
  while (kept < order.length && mass < topP * total) mass += weights[order[kept++]!]!;
  kept = Math.max(kept, 1);
  return fall(weights, order, kept, u * Math.max(mass, weights[order[0]!]!));
}

/** The id in whose share of the heaped weights `target` falls. */
function fall(weights: Float64Array, order: number[] | undefined, kept: number, target: number): number {
  let sum = 0;
  let last = 0;
  for (let rank = 0; rank < kept; rank++) {
    const id = order?.[rank] ?? rank;
    if (weights[id] === 0) continue;
    sum += weights[id]!;
    if (target < sum) return id;
    last = id;
  }
  // Rounding can leave target at the very end of the heap.
  return last;
}
