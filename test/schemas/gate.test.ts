import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alphaOfLook, GateRule, judgeGate, normalQuantile, pairedInterval } from '../../schemas/gate.ts';
import type { PairCounts } from '../../schemas/gate.ts';

const rule = GateRule.parse({});

/** mulberry32: numbers in [0, 1) that the seed decides. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What two models answer to the same problems: half of them are equally hard for both, the rest is luck of each. */
function night(next: () => number, current: number, fresh: number, problems: number): PairCounts {
  const counts = { both: 0, gained: 0, lost: 0, neither: 0 };
  for (let i = 0; i < problems; i++) {
    const shared = next();
    const [a, b] = next() < 0.5 ? [shared, shared] : [next(), next()];
    const [old, now] = [a < current, b < fresh];
    counts[old ? (now ? 'both' : 'lost') : now ? 'gained' : 'neither']++;
  }
  return counts;
}

/** Nights one after the other, the look counted as the history counts it; how many promoted. */
function promotions(seed: number, nights: number, accuracy: [current: number, fresh: number], problems = 300): number {
  const next = random(seed);
  let [promoted, look] = [0, 1];
  for (let i = 0; i < nights; i++) {
    const counts = { '1': night(next, ...accuracy, problems), '2': night(next, ...accuracy, problems) };
    const { promote } = judgeGate(counts, { ...rule, look }, 0);
    if (promote) promoted++;
    look = promote ? 1 : look + 1;
  }
  return promoted;
}

describe('the gate', () => {
  it('100 nights of equal models promote at most 5, at each of ten seeds', () => {
    // The seeds were written down before the first run.
    const counts = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((seed) => promotions(seed, 100, [0.8, 0.8]));
    for (const count of counts) expect(count).toBeLessThanOrEqual(5);
  });

  it('over all looks together, equal models are promoted in no more than alpha of 400 hundred-night series', () => {
    let series = 0;
    for (let seed = 1000; seed < 1400; seed++) if (promotions(seed, 100, [0.7, 0.7], 100) > 0) series++;
    expect(series / 400).toBeLessThanOrEqual(rule.alpha);
  });

  it('a model that is truly 8 points better is promoted within a week, at each of ten seeds', () => {
    for (let seed = 1; seed <= 10; seed++) expect(promotions(seed, 7, [0.8, 0.88], 500)).toBeGreaterThan(0);
  });

  it('a better model inside the margin stays out: 5 points do not clear a margin of 10', () => {
    const counts = { '1': { both: 800, gained: 60, lost: 10, neither: 130 } };
    expect(judgeGate(counts, { ...rule, look: 1 }, 0).promote).toBe(true);
    expect(judgeGate(counts, { ...rule, margin: 0.1, look: 1 }, 0).promote).toBe(false);
  });

  it('each later look asks for more: intervals are nested and their levels add up to less than alpha', () => {
    const counts = { '1': { both: 80, gained: 9, lost: 3, neither: 8 } };
    let spent = 0;
    let before = judgeGate(counts, { ...rule, look: 1 }, 0);
    for (let look = 1; look <= 1000; look++) spent += alphaOfLook(rule.alpha, look);
    for (const look of [2, 3, 7, 30]) {
      const now = judgeGate(counts, { ...rule, look }, 0);
      expect(now.interval[0]).toBeLessThan(before.interval[0]);
      expect(now.interval[1]).toBeGreaterThan(before.interval[1]);
      before = now;
    }
    expect(spent).toBeLessThan(rule.alpha);
    expect(spent).toBeGreaterThan(0.99 * rule.alpha);
  });

  it('an outage decides nothing: above the share of unjudged pairs, or without pairs, there is no promotion', () => {
    const counts = { '1': { both: 50, gained: 40, lost: 0, neither: 10 } };
    expect(judgeGate(counts, { ...rule, look: 1 }, 25).promote).toBe(true);
    const outage = judgeGate(counts, { ...rule, look: 1 }, 26);
    expect(outage).toMatchObject({ promote: false, reason: expect.stringContaining('not judged') as string });
    expect(judgeGate({}, { ...rule, look: 1 }, 0).promote).toBe(false);
  });
});

it('a stratum of eight problems does not hold up what five hundred show', () => {
  const many = { both: 390, gained: 80, lost: 10, neither: 20 };
  const few = { both: 6, gained: 1, lost: 1, neither: 0 };
  expect(judgeGate({ '1': few, '2': many }, { ...rule, look: 2 }, 0).promote).toBe(true);
});

describe('the paired interval', () => {
  it('holds the true difference in about 95 of 100 samples', () => {
    const next = random(77);
    let held = 0;
    for (let i = 0; i < 2000; i++) {
      const { low, high } = pairedInterval(night(next, 0.7, 0.8, 120), 0.05);
      if (low <= 0.1 && high >= 0.1) held++;
    }
    expect(held / 2000).toBeGreaterThan(0.93);
    expect(held / 2000).toBeLessThan(0.98);
  });

  it('takes its width from the quantiles of the normal distribution', () => {
    expect(normalQuantile(0.975)).toBeCloseTo(1.959963984540054, 7);
    expect(normalQuantile(0.9995)).toBeCloseTo(3.290526731491926, 7);
    expect(normalQuantile(0.001)).toBeCloseTo(-3.090232306167813, 7);
  });

  it('holds the difference, lies in −1 to 1 and turns round when the models are exchanged', () => {
    const count = fc.nat(60);
    fc.assert(
      fc.property(count, count, count, count, (both, gained, lost, neither) => {
        if (both + gained + lost + neither === 0) return;
        const one = pairedInterval({ both, gained, lost, neither }, 0.05);
        const other = pairedInterval({ both, gained: lost, lost: gained, neither }, 0.05);
        expect(one.low).toBeLessThanOrEqual(one.difference);
        expect(one.high).toBeGreaterThanOrEqual(one.difference);
        expect(one.low).toBeGreaterThanOrEqual(-1);
        expect(one.high).toBeLessThanOrEqual(1);
        expect(one.low).toBeCloseTo(-other.high, 12);
        expect(one.high).toBeCloseTo(-other.low, 12);
      }),
    );
  });
});
