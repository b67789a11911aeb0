import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pick } from '../../engine/tfjs/pick.ts';
import { uniform } from '../../engine/tfjs/rng.ts';
import { exp, log, sinCos } from '../../engine/tfjs/portable-math.ts';

/** The textbook: probabilities, sort, cut, normalise, walk. */
function plainPick(logits: Float32Array, temperature: number, topP: number, u: number): number {
  const largest = Math.max(...logits);
  const weights = Array.from(logits, (logit) => Math.exp((logit - largest) / temperature));
  const total = weights.reduce((a, b) => a + b, 0);
  const ranked = weights.map((w, id) => ({ id, p: w / total })).sort((a, b) => b.p - a.p || a.id - b.id);
  const kept: typeof ranked = [];
  let mass = 0;
  for (const entry of ranked) {
    if (topP < 1 && mass >= topP) break;
    kept.push(entry);
    mass += entry.p;
  }
  if (topP >= 1) kept.sort((a, b) => a.id - b.id);
  let sum = 0;
  for (const { id, p } of kept) if (u * mass < (sum += p)) return id;
  return kept.at(-1)!.id;
}

// On a grid, equals included: unlike logits closer than a double can tell apart would leave the textbook's order open.
const logits = fc
  .array(fc.integer({ min: -800, max: 800 }), { minLength: 2, maxLength: 30 })
  .map((values) => Float32Array.from(values, (value) => value / 64));
// Draws as the engine makes them: fast-check's own doubles crowd at 0 and 1, where rounding decides.
const draw = (n: number, k: number) => uniform(n.toString(16).padStart(32, '0'), k);

describe('pick', () => {
  it('agrees with the textbook', () => {
    let differing = 0;
    fc.assert(
      fc.property(logits, fc.nat(), (l, n) => {
        const [t, p, u] = [0.2 + 3 * draw(n, 0), Math.min(1, 0.05 + 1.2 * draw(n, 1)), draw(n, 2)];
        if (pick(l, { temperature: t, topP: p }, u) !== plainPick(l, t, p, u)) differing++;
      }),
      { numRuns: 5000 },
    );
    // The two round differently: a draw on the very edge of a share may fall to either side.
    expect(differing).toBeLessThanOrEqual(2);
  });

  it('temperature 0 takes the largest logit and the lowest id of equals', () => {
    expect(pick(Float32Array.of(1, 3, 3, 2), { temperature: 0, topP: 1 }, 0.9)).toBe(1);
  });

  it('a nucleus smaller than the first share keeps that id alone; equals go by id', () => {
    for (const u of [0, 0.5, 0.999999]) {
      expect(pick(Float32Array.of(0, 2, 0), { temperature: 1, topP: 0.01 }, u)).toBe(1);
      expect(pick(Float32Array.of(1, 1, 1, 1), { temperature: 1, topP: 0.25 }, u)).toBe(0);
    }
  });

  it('draws in proportion', () => {
    const l = Float32Array.from([0.1, 0.2, 0.7], Math.log);
    const counts = [0, 0, 0];
    for (let n = 0; n < 1000; n++) counts[pick(l, { temperature: 1, topP: 1 }, (n + 0.5) / 1000)]!++;
    expect(counts).toEqual([100, 200, 700]);
  });

  it('a broken model gives an id, not an error', () => {
    for (const l of [Float32Array.of(NaN, NaN), Float32Array.of(Infinity, 1), Float32Array.of(-Infinity, -Infinity)])
      expect(pick(l, { temperature: 1, topP: 0.9 }, 0.5)).toBeOneOf([0, 1]);
  });
});

describe('portable mathematics', () => {
  it('agrees with Math to a few units in the last place', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -700, max: 700, noNaN: true }),
        fc.double({ min: 1e-9, max: 1e9, noNaN: true }),
        (x, y) => {
          expect(Math.abs(exp(x) / Math.exp(x) - 1)).toBeLessThan(1e-13);
          expect(Math.abs(log(y) - Math.log(y))).toBeLessThan(1e-14 * Math.max(1, Math.abs(Math.log(y))));
          const [sin, cos] = sinCos(x * 10);
          expect(Math.abs(sin - Math.sin(x * 10))).toBeLessThan(1e-11);
          expect(Math.abs(cos - Math.cos(x * 10))).toBeLessThan(1e-11);
        },
      ),
      { numRuns: 2000 },
    );
    expect([exp(0), exp(-800), exp(800), exp(NaN)]).toEqual([1, 0, Infinity, NaN]);
  });
});
