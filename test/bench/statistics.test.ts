import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { against, compare, median, rangeOf } from '../../bench/statistics.ts';

const rates = fc.array(fc.double({ min: 1e-3, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 21 });

describe('statistics of the bench', () => {
  it('has at most half of the values on each side of the median', () => {
    fc.assert(
      fc.property(rates, (values) => {
        const middle = median(values);
        expect(values.filter((value) => value < middle).length).toBeLessThanOrEqual(values.length / 2);
        expect(values.filter((value) => value > middle).length).toBeLessThanOrEqual(values.length / 2);
      }),
    );
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  it('forms ratios in pairs: what slows a whole repetition down leaves no trace in the ratio', () => {
    const slowdowns = [1, 0.2, 0.5, 1, 0.3];
    const { ratio, spread } = compare(
      slowdowns.map((slow) => 300 * slow),
      slowdowns.map((slow) => 200 * slow),
    );
    expect(ratio).toBeCloseTo(1.5, 12);
    expect(spread.ratio[1] - spread.ratio[0]).toBeCloseTo(0, 12);
    expect(spread.ours).toEqual([60, 300]);
  });

  it('says who is ahead: more tokens of ours, or less of what is bounded, give a ratio above 1', () => {
    expect(compare([2], [1]).ratio).toBe(2);
    expect(compare([1], [2]).ratio).toBe(0.5);
    expect(against(10, [4, 5, 6]).ratio).toBe(2);
    expect(against(0.01, [0.02]).ratio).toBe(0.5);
  });

  it('refuses to make a figure of nothing, of unequal lists or of a rate that is none', () => {
    expect(() => median([])).toThrow(RangeError);
    expect(() => rangeOf([])).toThrow(RangeError);
    expect(() => compare([1, 2], [1])).toThrow(/2 measurements of ours, 1 of the peer/);
    expect(() => compare([1], [0])).toThrow(/above 0/);
    expect(() => compare([NaN], [1])).toThrow(/above 0/);
  });
});
