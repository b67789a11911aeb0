/** A pass by hand against the tape's derivative of its plain definition, and against finite differences. */
import { expect } from 'vitest';
import { tf } from '../../engine/tfjs/native.ts';
import type { Tensor } from '../../engine/tfjs/native.ts';
import type { NamedTensor } from '../../engine/tfjs/safetensors.ts';

export const size = (a: ArrayLike<number>): number => Math.hypot(...Array.from(a));

/**
 * Loss within 1e-5 of it; each tensor's gradient within a thousandth of its own size, or of a hundred-thousandth of the whole.
 * @returns the sizes of the definition's gradients, by name.
 */
export function expectGradients(
  made: { loss: number; gradients: ReadonlyMap<string, NamedTensor> },
  weights: ReadonlyMap<string, NamedTensor>,
  plain: (tensors: Map<string, Tensor>) => Tensor,
): Map<string, number> {
  const names = [...weights.keys()];
  const sizes = new Map<string, number>();
  tf.tidy(() => {
    const variables = names.map((name) => tf.tensor(weights.get(name)!.data, weights.get(name)!.shape));
    const f = (...values: Tensor[]) => plain(new Map(names.map((name, i) => [name, values[i]!])));
    const { value, grads } = tf.valueAndGrads(f)(variables);
    expect(Math.abs(made.loss / value.dataSync()[0]! - 1)).toBeLessThan(1e-5);
    const expected = grads.map((grad) => grad.dataSync() as Float32Array);
    const whole = size(expected.map(size));
    expect(whole).toBeGreaterThan(0.1);
    for (const [i, name] of names.entries()) {
      const error = size(made.gradients.get(name)!.data.map((x, at) => x - expected[i]![at]!));
      expect(error, name).toBeLessThan(Math.max(1e-3 * size(expected[i]!), 1e-5 * whole));
    }
    for (const [i, name] of names.entries()) sizes.set(name, size(expected[i]!));
  });
  return sizes;
}

/** Along its gradient a loss rises as fast as the gradient is long. */
export function expectSlope(
  weights: Float32Array,
  gradient: Float32Array,
  by: number,
  lossAt: (weights: Float32Array) => number,
): void {
  const norm = size(gradient);
  const at = (along: number) => lossAt(weights.map((weight, i) => weight + (along * gradient[i]!) / norm));
  expect((at(by) - at(-by)) / (2 * by) / norm).toBeCloseTo(1, 2);
}
