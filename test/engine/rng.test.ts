import { describe, expect, it } from 'vitest';
import { threefry, uniform } from '../../engine/tfjs/rng.ts';

const SEED = '000102030405060708090a0b0c0d0e0f';

describe('counter-based random numbers', () => {
  it('equal the known answers of Random123 (threefry4x32, 20 rounds)', () => {
    const hex = (words: Uint32Array) => [...words].map((word) => word.toString(16).padStart(8, '0')).join(' ');
    const ones = [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff];
    expect(hex(threefry([0, 0, 0, 0], [0, 0, 0, 0]))).toBe('9c6ca96a e17eae66 fc10ecd4 5256a7d8');
    expect(hex(threefry(ones, ones))).toBe('2a881696 57012287 f6c7446e a16a6732');
    expect(
      hex(threefry([0xa4093822, 0x299f31d0, 0x082efa98, 0xec4e6c89], [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344])),
    ).toBe('59cd1dbb b8879579 86b5d00c ac8b6d84');
  });

  it('depend on each argument and on nothing else', () => {
    const first = uniform(SEED, 1, 2);
    uniform('f'.repeat(32), 9);
    expect(uniform(SEED, 1, 2)).toBe(first);
    const calls = [
      [],
      [0],
      [0, 0],
      [1],
      [1, 0],
      [0, 1],
      [1, 2, 3],
      [1, 2, 3, 0],
      [1, 2, 3, 4, 5],
      [1, 2, 3, 4, 5, 6, 7],
    ];
    expect(new Set(calls.map((counters) => uniform(SEED, ...counters))).size).toBe(calls.length);
    expect(uniform(SEED.replace('0f', '0e'), 1, 2)).not.toBe(first);
  });

  it('are uniform: mean, variance and neighbours of 50,000', () => {
    const n = 50_000;
    const xs = Array.from({ length: n }, (_, i) => uniform(SEED, i));
    expect(Math.min(...xs.slice(0, 10_000))).toBeGreaterThanOrEqual(0);
    expect(Math.max(...xs.slice(0, 10_000))).toBeLessThan(1);
    const mean = xs.reduce((sum, x) => sum + x, 0) / n;
    expect(mean).toBeCloseTo(0.5, 2);
    expect(xs.reduce((sum, x) => sum + (x - mean) ** 2, 0) / n).toBeCloseTo(1 / 12, 2);
    expect(xs.slice(1).reduce((sum, x, i) => sum + (x - 0.5) * (xs[i]! - 0.5), 0) / n).toBeCloseTo(0, 2);
  });

  it('refuse what is no seed or counter', () => {
    expect(() => uniform('12', 0)).toThrow(/32 lower-case hex/);
    for (const counter of [-1, 0.5, 2 ** 32, NaN]) expect(() => uniform(SEED, counter)).toThrow(/counter/);
  });
});
