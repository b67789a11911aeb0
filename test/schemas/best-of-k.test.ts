import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bestOfK, reportedKs } from '../../schemas/best-of-k.ts';
import type { BestOfK, Candidate } from '../../schemas/best-of-k.ts';

/** By the definitions: every subset of k looked at. */
function listed(candidates: Candidate[], k: number): BestOfK {
  const sums = { pass: 0, majority: 0, verifier: 0 };
  let subsets = 0;
  for (let bits = 0; bits < 1 << candidates.length; bits++) {
    const taken = candidates.filter((_, i) => (bits >> i) & 1);
    if (taken.length !== k) continue;
    subsets++;
    const share = (of: Candidate[]) => (of.length === 0 ? 0 : of.filter(({ correct }) => correct).length / of.length);
    sums.pass += Number(taken.some(({ correct }) => correct));
    const best = Math.max(...taken.map(({ score }) => score));
    sums.verifier += share(taken.filter(({ score }) => score === best));
    const votes = new Map<string, number>();
    for (const { answer } of taken) if (answer !== null) votes.set(answer, (votes.get(answer) ?? 0) + 1);
    const most = Math.max(0, ...votes.values());
    const winners = [...votes].filter(([, count]) => count === most).map(([answer]) => answer);
    const shareOf = (answer: string) => share(candidates.filter((one) => one.answer === answer));
    sums.majority += winners.reduce((sum, answer) => sum + shareOf(answer), 0) / Math.max(1, winners.length);
  }
  return { pass: sums.pass / subsets, majority: sums.majority / subsets, verifier: sums.verifier / subsets };
}

const candidate = fc.record({
  correct: fc.boolean(),
  answer: fc.option(fc.constantFrom('a', 'b', 'c', 'd'), { freq: 6 }),
  // Few values: ties are the hard part.
  score: fc.integer({ min: -3, max: 3 }),
});

describe('the best of k', () => {
  it('is the mean over all subsets, ties and missing answers among them', () => {
    fc.assert(
      fc.property(fc.array(candidate, { minLength: 1, maxLength: 9 }), fc.nat(), (candidates, pick) => {
        const k = 1 + (pick % candidates.length);
        const [found, expected] = [bestOfK(candidates, k), listed(candidates, k)];
        for (const name of ['pass', 'majority', 'verifier'] as const)
          expect(found[name]).toBeCloseTo(expected[name], 10);
      }),
      { numRuns: 400 },
    );
  });

  it('is so for twelve candidates and every k', () => {
    const candidates = Array.from({ length: 12 }, (_, i) => ({
      correct: i % 5 === 1 || i === 7,
      answer: i === 4 ? null : 'abc'[(i * i) % 3]!,
      score: -((i * 7) % 12) / 2,
    }));
    for (let k = 1; k <= 12; k++) {
      const [found, expected] = [bestOfK(candidates, k), listed(candidates, k)];
      for (const name of ['pass', 'majority', 'verifier'] as const) expect(found[name]).toBeCloseTo(expected[name], 12);
    }
  });

  it('of one candidate is the share of right ones, whatever scores and votes say', () => {
    const candidates = [3, 1, 2, 2].map((score, i) => ({ correct: i > 1, answer: i > 1 ? '4' : '5', score }));
    expect(bestOfK(candidates, 1)).toEqual({ pass: 0.5, majority: 0.5, verifier: 0.5 });
  });

  it('stays a number for thousands of candidates, and falls in with the limit', () => {
    const candidates = Array.from({ length: 1200 }, (_, i) => ({
      correct: i % 4 === 0,
      answer: i % 4 === 0 ? 'right' : `wrong ${i % 2}`,
      score: i % 4 === 0 ? 1 : 0,
    }));
    const { pass, majority, verifier } = bestOfK(candidates, 600);
    expect(pass).toBe(1);
    expect(verifier).toBeCloseTo(1, 12);
    expect(majority).toBeGreaterThanOrEqual(0);
    expect(majority).toBeLessThan(1e-6);
    expect(bestOfK(candidates, 1).majority).toBeCloseTo(0.25, 10);
    expect(bestOfK(candidates, 2).verifier).toBeCloseTo(1 - (0.75 * 899) / 1199, 10);
  });

  it('refuses a k that no subset has, and a score that is no number', () => {
    const one = { correct: true, answer: 'a', score: 0 };
    expect(() => bestOfK([one], 2)).toThrow(/k is 2; expected 1 to 1/);
    expect(() => bestOfK([one], 0)).toThrow(RangeError);
    expect(() => bestOfK([{ ...one, score: NaN }], 1)).toThrow(/no score/);
  });

  it('is reported for powers of two and for all', () => {
    expect([1, 6, 16].map(reportedKs)).toEqual([[1], [1, 2, 4, 6], [1, 2, 4, 8, 16]]);
  });
});
