import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accuracyOf, compareStrata, wilson } from '../../schemas/accuracy.ts';
import { Accuracy } from '../../schemas/run.ts';

const tally = fc
  .tuple(fc.nat(600), fc.nat(600), fc.nat(50))
  .map(([a, b, unjudged]) => ({ correct: Math.min(a, b), judged: Math.max(a, b), unjudged }));
const tallies = fc.dictionary(fc.constantFrom('1', '2', '3', '10', 'easy', 'hard'), tally);

describe('accuracy', () => {
  it('holds its estimate inside [0, 1] and inside its interval', () => {
    fc.assert(
      fc.property(tallies, (counts) => {
        const { overall, ci95, n, unjudged, byStratum } = Accuracy.parse(accuracyOf(counts));
        expect(ci95[0]).toBeGreaterThanOrEqual(0);
        expect(ci95[1]).toBeLessThanOrEqual(1);
        expect(overall).toBeGreaterThanOrEqual(ci95[0]);
        expect(overall).toBeLessThanOrEqual(ci95[1]);
        expect(n).toBe(Object.values(counts).reduce((sum, one) => sum + one.judged, 0));
        expect(unjudged).toBe(Object.values(counts).reduce((sum, one) => sum + one.unjudged, 0));
        const shares = Object.values(byStratum).map((one) => one.accuracy);
        if (shares.length > 0) {
          expect(overall).toBeCloseTo(shares.reduce((sum, one) => sum + one, 0) / shares.length, 12);
          expect(ci95[1] - ci95[0]).toBeGreaterThan(0);
        }
      }),
    );
  });

  it('never falls, at either end of its interval, when one more answer is right', () => {
    fc.assert(
      fc.property(tallies, tally, (others, one) => {
        fc.pre(one.correct < one.judged);
        const before = accuracyOf({ ...others, this: one });
        const after = accuracyOf({ ...others, this: { ...one, correct: one.correct + 1 } });
        expect(after.overall).toBeGreaterThan(before.overall);
        expect(after.ci95[0]).toBeGreaterThanOrEqual(before.ci95[0] - 1e-12);
        expect(after.ci95[1]).toBeGreaterThanOrEqual(before.ci95[1] - 1e-12);
      }),
      { numRuns: 500 },
    );
  });

  it("is Wilson's interval for a single stratum", () => {
    fc.assert(
      fc.property(tally, (one) => {
        const { ci95 } = accuracyOf({ '1': one });
        const [low, high] = wilson(one.correct, one.judged);
        expect(ci95[0]).toBeCloseTo(low, 12);
        expect(ci95[1]).toBeCloseTo(high, 12);
      }),
    );
    // statsmodels.stats.proportion.proportion_confint(8, 10, method='wilson')
    const [low, high] = wilson(8, 10);
    expect([low, high].map((bound) => bound.toFixed(4))).toEqual(['0.4902', '0.9433']);
  });

  it('covers the true mean about 95 times in 100', () => {
    // one counter-based stream, so that the figure is the same on every machine
    let state = 12345;
    const uniform = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
    const truth = { '1': 0.99, '2': 0.95, '3': 0.8, '4': 0.4, '5': 0.05 };
    const mean = Object.values(truth).reduce((sum, p) => sum + p, 0) / 5;
    let covered = 0;
    for (let draw = 0; draw < 2000; draw++) {
      const counts = Object.entries(truth).map(([stratum, p]) => {
        let correct = 0;
        for (let i = 0; i < 100; i++) if (uniform() < p) correct += 1;
        return [stratum, { correct, judged: 100, unjudged: 0 }] as const;
      });
      const [low, high] = accuracyOf(Object.fromEntries(counts)).ci95;
      if (low <= mean && mean <= high) covered += 1;
    }
    expect(covered / 2000).toBeGreaterThan(0.93);
    expect(covered / 2000).toBeLessThan(0.975);
  });

  it('says nothing about nothing: overall 0, interval [0, 1], n 0', () => {
    expect(accuracyOf({})).toEqual({ overall: 0, ci95: [0, 1], n: 0, unjudged: 0, byStratum: {} });
  });

  it('leaves a stratum without judgements out of the mean, and counts its unjudged', () => {
    const good = { correct: 9, judged: 10, unjudged: 0 };
    const outage = accuracyOf({ '1': good, '2': { correct: 0, judged: 0, unjudged: 10 } });
    expect(outage).toEqual({ ...accuracyOf({ '1': good }), unjudged: 10 });
  });

  it('gives the same bits for any order of the strata', () => {
    fc.assert(
      fc.property(tallies, (counts) => {
        const turned = Object.fromEntries(Object.entries(counts).reverse());
        expect(JSON.stringify(accuracyOf(turned))).toBe(JSON.stringify(accuracyOf(counts)));
      }),
    );
  });

  it('orders strata by number, then by word', () => {
    expect(['hard', '10', '2', 'easy', '1', ''].sort(compareStrata)).toEqual(['1', '2', '10', '', 'easy', 'hard']);
  });
});
