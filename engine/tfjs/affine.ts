/**
 * A projection in training: x·Wᵀ + b, and what W, b and x have to learn.
 *
 *   const up = affine(k, learner, '0.up', x);      // [N, out] of [N, in]
 *   const dx = up.back(dUp);                       // the learner has the rest
 */
import type { Kernels } from './kernels.ts';
import type { Learner } from './learner.ts';

/** A part of a pass; `back` takes the gradient at `value` and gives that at what it was made of. */
export interface Step<V> {
  value: V;
  back(dValue: V): V;
}

/** `product` and the bias of block `name`, where it has one (in `shape`, where that is another than its own); frees `product`. */
export function plusBias<V>(k: Kernels<V>, learner: Learner<V>, name: string, product: V, shape?: number[]): V {
  const bias = learner.bias(name);
  if (bias === undefined) return product;
  const sum = k.add(product, shape === undefined ? bias : k.reshape(bias, shape));
  k.free(product);
  return sum;
}

/** Of rows x [N, in], which the caller frees behind `back`. */
export function affine<V>(k: Kernels<V>, learner: Learner<V>, name: string, x: V): Step<V> {
  const matrix = learner.matrix(name);
  return {
    value: plusBias(k, learner, name, k.matmul(x, matrix, false, true)),
    back(dValue) {
      learner.learn(name, dValue, x);
      learner.learnBias(name, dValue);
      return k.matmul(dValue, matrix);
    },
  };
}
