/**
 * RMSNorm and LayerNorm for training, with the gradients by hand.
 *
 *   const norm = blockNorm(k, config, learner);
 *   const { value, back } = norm('0.norm1', x);
 *   const dx = back(dValue, residual);              // residual + the gradient at x
 *
 * LayerNorm is RMSNorm of what is centred. RMSNorm's gain is multiplied into the matrix behind it (small) instead of into the
 * tokens (large), see `gainOf`; LayerNorm's gain and bias are applied to the tokens.
 */
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import type { Kernels } from './kernels.ts';
import type { Learner } from './learner.ts';

export interface Normed<V> {
  value: V;
  /** residual + the gradient at x; frees both its arguments and `value`. */
  back(dValue: V, residual: V | null): V;
}

/** Rows [rows, width] divided by their root mean square. */
export function rootMeanSquare<V>(k: Kernels<V>, width: number, normEpsilon: number): (x: V) => Normed<V> {
  const inverseWidth = k.scalar(1 / width);
  const negatedInverseWidth = k.scalar(-1 / width);
  const epsilon = k.scalar(normEpsilon);
  return (x) => {
    const norm = k.euclideanNorm(x, 1);
    const square = k.square(norm);
    const mean = k.mul(square, inverseWidth);
    const shifted = k.add(mean, epsilon);
    const inverse = k.rsqrt(shifted);
    const value = k.mul(x, inverse);
    k.free(norm, square, mean, shifted);
    return {
      value,
      back(gradient, residual) {
        const product = k.mul(gradient, value);
        const along = k.sum(product, 1, true);
        const scaled = k.mul(along, negatedInverseWidth);
        const factor = k.mul(scaled, inverse);
        const direct = k.mul(gradient, inverse);
        const removed = k.mul(value, factor);
        const result = residual === null ? k.add(direct, removed) : k.addN(residual, direct, removed);
        k.free(product, along, scaled, factor, direct, removed, gradient, value, inverse);
        if (residual !== null) k.free(residual);
        return result;
      },
    };
  };
}

/** The gain `name` and its bias, where there is one, applied to normed rows. */
export function applied<V>(k: Kernels<V>, learner: Learner<V>, name: string, unit: Normed<V>): Normed<V> {
  const gain = learner.block(name);
  const bias = learner.bias(name);
  const scaled = k.mul(unit.value, gain);
  return {
    value: bias === undefined ? scaled : k.add(scaled, bias),
    back(gradient, residual) {
      const byElement = k.mul(gradient, unit.value);
      learner.learnBlock(name, k.sum(byElement, 0));
      learner.learnBias(name, gradient);
      const dUnit = k.mul(gradient, gain);
      k.free(byElement, gradient);
      return unit.back(dUnit, residual);
    },
  };
}

/** What stands before attention, feed-forward and output layer; `name` of its block. */
export function blockNorm<V>(
  k: Kernels<V>,
  { norm, dModel, normEpsilon }: DecoderConfig,
  learner: Learner<V>,
): (name: string, x: V) => Normed<V> {
  const rms = rootMeanSquare(k, dModel, normEpsilon);
  if (norm !== 'layer') return (_, x) => rms(x);
  const centre = (x: V): V => k.sub(x, k.mean(x, 1, true));
  return (name, x) => {
    const unit = rms(centre(x));
    const back = (gradient: V, residual: V | null): V => {
      const dx = centre(unit.back(gradient, null));
      return residual === null ? dx : k.add(residual, dx);
    };
    return applied(k, learner, name, { value: unit.value, back });
  };
}
