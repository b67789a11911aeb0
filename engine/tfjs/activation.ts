/**
 * Activations of the feed-forward block, and how their gradients go back: one definition for generation and training.
 *
 *   const { value, back } = activate(k, 'swiglu', up, gate);   // silu(gate) ∘ up
 *   const { up: dUp, gate: dGate } = back(dValue);
 *
 * GELU (Hendrycks & Gimpel, arXiv:1606.08415) exactly, x·Φ(x), and by its tanh formula, where (1 + tanh u)/2 = σ(2u).
 */
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import type { Kernels } from './kernels.ts';

/** A function of each number; `back` gives the gradient at x and frees what it was made from. */
interface Curve<V> {
  value: V;
  back(dValue: V): V;
}

function relu<V>(k: Kernels<V>, x: V): Curve<V> {
  const value = k.relu(x);
  k.free(x);
  return { value, back: (dValue) => k.reluGrad(dValue, value) };
}

function silu<V>(k: Kernels<V>, x: V): Curve<V> {
  const sigmoid = k.sigmoid(x);
  const value = k.mul(x, sigmoid);
  return {
    value,
    back(dValue) {
      // silu′ = σ + silu·(1 − σ)
      const rest = k.sub(k.scalar(1), sigmoid);
      const curved = k.mul(value, rest);
      const slope = k.add(sigmoid, curved);
      const result = k.mul(dValue, slope);
      k.free(rest, curved, slope, x, sigmoid);
      return result;
    },
  };
}

const TANH_SCALE = 2 * Math.sqrt(2 / Math.PI);
const TANH_CUBE = 0.044715;

function geluTanh<V>(k: Kernels<V>, x: V): Curve<V> {
  const square = k.square(x);
  /** scale·(1 + factor·x²) */
  const bent = (factor: number) => k.mul(k.add(k.mul(square, k.scalar(factor)), k.scalar(1)), k.scalar(TANH_SCALE));
  const sigmoid = k.sigmoid(k.mul(bent(TANH_CUBE), x));
  const value = k.mul(x, sigmoid);
  return {
    value,
    back(dValue) {
      const rest = k.sub(k.scalar(1), sigmoid);
      const curved = k.mul(k.mul(value, rest), bent(3 * TANH_CUBE));
      const slope = k.add(sigmoid, curved);
      const result = k.mul(dValue, slope);
      k.free(rest, curved, slope, x, square, sigmoid);
      return result;
    },
  };
}

function gelu<V>(k: Kernels<V>, x: V): Curve<V> {
  // Φ(x) = (1 + erf(x/√2))/2, Φ′ = e^(−x²/2)/√(2π)
  const share = k.mul(k.add(k.erf(k.mul(x, k.scalar(Math.SQRT1_2))), k.scalar(1)), k.scalar(0.5));
  const value = k.mul(x, share);
  return {
    value,
    back(dValue) {
      const bell = k.mul(k.exp(k.mul(k.square(x), k.scalar(-0.5))), k.scalar(1 / Math.sqrt(2 * Math.PI)));
      const slope = k.add(share, k.mul(x, bell));
      const result = k.mul(dValue, slope);
      k.free(bell, slope, x, share);
      return result;
    },
  };
}

const CURVES = { relu, swiglu: silu, gelu, 'gelu-tanh': geluTanh };

export interface Activated<V> {
  value: V;
  /** The gradients of `up` and `gate`; frees what it was made from, `value` not. */
  back(dValue: V): { up: V; gate?: V };
}

/** Takes over `up` and `gate`; only `swiglu` has a gate. */
export function activate<V>(k: Kernels<V>, activation: DecoderConfig['activation'], up: V, gate?: V): Activated<V> {
  if (gate === undefined) {
    const { value, back } = CURVES[activation](k, up);
    return { value, back: (dValue) => ({ up: back(dValue) }) };
  }
  const opened = CURVES[activation](k, gate);
  return {
    value: k.mul(opened.value, up),
    back(dValue) {
      const dUp = k.mul(dValue, opened.value);
      const dOpened = k.mul(dValue, up);
      const dGate = opened.back(dOpened);
      k.free(dOpened, opened.value, up);
      return { up: dUp, gate: dGate };
    },
  };
}
