import { describe, expect, it } from 'vitest';
import { accuracyWithin, commonCost, compact, costOf, spentBy } from '../../report/compute.ts';
import { pointsOf } from '../../report/study-figure.ts';
import type { RunDocument } from '../../schemas/run.ts';

const STAGES = {
  free: { use: 'generate' },
  hinted: { use: 'rationalize' },
  next: { use: 'fine-tune' },
  score: { use: 'evaluate' },
};
/** One iteration a row: sampled, hinted, trained, steps, accuracy on dev and on test. */
const run = (...rows: [number, number, number, number, number, number][]) =>
  ({
    resolved: { recipe: { stages: STAGES } },
    iterations: rows.map(([free, hinted, next, steps, dev, test], n) => ({
      ...{ n, steps, dev: { overall: dev }, accuracy: { overall: test } },
      tokens: { free, hinted, next, score: 7777 },
    })),
  }) as unknown as RunDocument;
const base = [0, 0, 500, 9, 0.1, 0.1] as const;
const dear = run([...base], [100, 20, 60, 5, 0.3, 0.31], [100, 10, 70, 6, 0.5, 0.48]);
const cheap = run([...base], [40, 0, 20, 3, 0.2, 0.22], [40, 0, 20, 3, 0.15, 0.4]);
const idle = run([0, 0, 0, 0, 0.1, 0.1], [0, 0, 0, 0, 0.1, 0.1]);

describe('what a run has cost', () => {
  it('adds up over iterations, without the base and evaluations', () => {
    expect(spentBy(dear)).toEqual([
      { n: 0, sampled: 0, trained: 0, steps: 0 },
      { n: 1, sampled: 120, trained: 60, steps: 5 },
      { n: 2, sampled: 230, trained: 130, steps: 11 },
    ]);
    expect(spentBy(dear).map(costOf)).toEqual([0, 300, 620]);
  });

  it('counts what a verifier of either kind is trained on, and not what it ranks', () => {
    const stages = { v: { use: 'prefer' }, r: { use: 'reward-model' }, s: { use: 'reward' }, best: { use: 'rank' } };
    const verified = {
      resolved: { recipe: { stages } },
      iterations: [{ n: 1, steps: 0, tokens: { v: 5, r: 7, s: 0, best: 99 } }],
    } as unknown as RunDocument;
    expect(spentBy(verified)).toEqual([{ n: 1, sampled: 0, trained: 12, steps: 0 }]);
  });

  it('is compared where all have come to: of the iterations within it the best on dev', () => {
    // cheap: 200 in all. A run that costs nothing sets no bound.
    expect(commonCost([dear, cheap, idle])).toBe(200);
    expect(accuracyWithin(dear, 200)).toBe(0.1);
    expect(accuracyWithin(dear, 300)).toBe(0.31);
    expect(accuracyWithin(cheap, 200)).toBe(0.22);
    expect(accuracyWithin(idle, 200)).toBe(0.1);
  });

  it('is drawn as the mean of the seeds, over the iterations that all of them have', () => {
    const points = pointsOf([dear, run([...base], [80, 0, 60, 5, 0.3, 0.41])]);
    expect(points.map(({ n, sampled }) => [n, sampled])).toEqual([
      [0, 0],
      [1, 100],
    ]);
    expect(points[1]!.test).toBeCloseTo(0.36, 12);
  });

  it.each([
    [0, '0'],
    [9999, '9999'],
    [81_234, '81k'],
    [1_234_567, '1.2M'],
    [45_600_000, '46M'],
  ] as const)('is told short: %i as %s', (count, told) => expect(compact(count)).toBe(told));
});
