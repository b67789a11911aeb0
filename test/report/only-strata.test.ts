import { describe, expect, it } from 'vitest';
import { onlyStrata } from '../../report/only-strata.ts';
import { studyLines } from '../../report/study.ts';
import type { Studied } from '../../report/study.ts';
import { accuracyOf } from '../../schemas/accuracy.ts';
import type { Accuracy, RunDocument } from '../../schemas/run.ts';

/** 100 problems a stratum, the first `right[stratum]` of them right. */
function run(recipe: string, right: Record<string, number>): Studied {
  const strata = Object.entries(right);
  const tallies = strata.map(([id, correct]) => [id, { correct, judged: 100, unjudged: 0 }]);
  const accuracy: Accuracy = accuracyOf(Object.fromEntries(tallies));
  const iterations = [
    { n: 0, accuracy, dev: accuracy, tokens: {}, steps: 0, ledger: {}, scores: [], soundShare: null },
  ];
  const outcomes = strata.flatMap(([stratum, correct]) =>
    Array.from({ length: 100 }, (_, i) => [`${stratum}-${i}`, { stratum, correct: i < correct }] as const),
  );
  const document = { iterations, best: { n: 0 } } as unknown as RunDocument;
  return { recipe, seed: 1, document, outcomes: new Map(outcomes) };
}

describe('a study of some strata', () => {
  const runs = [run('star', { '1': 0, '2': 90, '3': 50 }), run('rft', { '1': 100, '2': 70, '3': 50 })];

  it('reports and compares those alone', () => {
    const [star, rft] = studyLines(
      runs.map((one) => onlyStrata(one, ['2', '3'])),
      0.03,
    );
    expect(star).toMatchObject({ test: 0.7, atEqualCost: 0.7 });
    expect(rft?.test).toBeCloseTo(0.6, 12);
    expect(rft?.difference?.value).toBeCloseTo(0.1, 12);
    expect(rft?.difference?.n).toBe(200);
  });

  it('leaves the choice of the best iteration, and all strata together, as they were', () => {
    expect(onlyStrata(runs[0]!, ['2']).document).toMatchObject({ best: { n: 0 }, iterations: [{ dev: { n: 300 } }] });
    const all = (which: Studied[]) => studyLines(which, 0.03);
    expect(all(runs.map((one) => onlyStrata(one, ['1', '2', '3'])))).toEqual(all(runs));
  });
});
