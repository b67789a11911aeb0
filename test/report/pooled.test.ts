import { describe, expect, it } from 'vitest';
import type { Outcomes } from '../../report/paired.ts';
import { pairedDifference } from '../../report/paired.ts';
import { pooledDifference, verdictOn } from '../../report/pooled.ts';

/** `right` of `n` problems right, beginning at problem `from`; strata in turn. */
const outcomes = (n: number, right: number, from = 0, strata = ['a', 'b']): Outcomes =>
  new Map(
    Array.from({ length: n }, (_, i) => [
      `p${i}`,
      { stratum: strata[i % strata.length]!, correct: i >= from && i < from + right },
    ]),
  );
const seedsOf = (...gains: number[]) =>
  gains.map((gain, seed) => ({ seed, ahead: outcomes(500, 200 + gain), behind: outcomes(500, 200) }));

describe('a difference pooled over seeds', () => {
  it('is the mean of the seeds; alike in all seeds it is nearly as sharp as the paired one', () => {
    const pooled = pooledDifference(seedsOf(50, 50, 50))!;
    expect(pooled.value).toBeCloseTo(0.1, 12);
    expect(pooled.bySeed).toEqual([0.1, 0.1, 0.1]);
    expect(pooled.n).toBe(1500);
    const one = pairedDifference(outcomes(500, 250), outcomes(500, 200))!;
    const widths = [pooled.high - pooled.low, (one.high - one.low) / Math.sqrt(3)];
    expect(widths[0]! / widths[1]!).toBeGreaterThan(0.8);
    expect(widths[0]! / widths[1]!).toBeLessThan(1.2);
  });

  it('knows that seeds differ: the same mean from unlike seeds is less sure', () => {
    const alike = pooledDifference(seedsOf(50, 50, 50))!;
    const unlike = pooledDifference(seedsOf(0, 50, 100))!;
    expect(unlike.value).toBeCloseTo(alike.value, 12);
    expect(unlike.high - unlike.low).toBeGreaterThan(2 * (alike.high - alike.low));
  });

  it('strata count alike, whatever their sizes', () => {
    const strata = ['a', 'b', 'b', 'b'];
    const ahead = new Map(
      [...outcomes(400, 0, 0, strata)].map(([id, one]) => [id, { ...one, correct: one.stratum === 'a' }]),
    );
    expect(pooledDifference([{ seed: 1, ahead, behind: outcomes(400, 0, 0, strata) }])).toMatchObject({ value: 0.5 });
  });

  it('is the same each time, and null where nothing was judged in both', () => {
    expect(pooledDifference(seedsOf(10, 20))).toEqual(pooledDifference(seedsOf(10, 20)));
    expect(pooledDifference([{ seed: 1, ahead: outcomes(5, 1), behind: new Map() }])).toBeNull();
    expect(pooledDifference([])).toBeNull();
  });

  it('holds the truth about as often as it says', () => {
    let [state, held] = [1, 0];
    const random = () => (state = (state * 48271) % 2147483647) / 2147483647;
    const draw = (p: number): Outcomes =>
      new Map(Array.from({ length: 150 }, (_, i) => [`p${i}`, { stratum: 'a', correct: random() < p }]));
    for (let trial = 0; trial < 60; trial++) {
      const pairs = Array.from({ length: 6 }, (_, seed) => ({ seed, ahead: draw(0.6), behind: draw(0.5) }));
      const { low, high } = pooledDifference(pairs)!;
      held += Number(low <= 0.1 && 0.1 <= high);
    }
    // Six seeds: percentiles are somewhat narrow; far from what a wrong formula would give.
    expect(held).toBeGreaterThanOrEqual(48);
    expect(held).toBeLessThan(60);
  });
});

describe('the verdict', () => {
  const of = (low: number, high: number, ...bySeed: number[]) =>
    verdictOn({ value: (low + high) / 2, low, high, bySeed, n: 1000 }, 0.03);
  it('needs every seed, an interval beyond zero, and an effect that matters', () => {
    expect(of(0.02, 0.08, 0.04, 0.06)).toBe('supported');
    expect(of(0.02, 0.08, -0.01, 0.1)).toBe('inconclusive');
    expect(of(-0.01, 0.08, 0.03, 0.04)).toBe('inconclusive');
    expect(of(0.005, 0.02, 0.01, 0.01)).toBe('refuted');
    expect(of(-0.09, -0.02, -0.05, -0.06)).toBe('refuted');
  });
});
