import { describe, expect, it } from 'vitest';
import { balanceRows } from '../../activities/balance.ts';
import { balanceOf, bestBalanced } from '../../schemas/balance.ts';
import type { BalanceRow } from '../../schemas/balance.ts';
import type { Judged } from '../../schemas/verdict.ts';
import { additionProblem } from '../../tasks/addition.ts';

const row = (temperature: number, score: number): BalanceRow => ({
  ...{ temperature, score },
  ...{ problems: 1, right: 1, unique: 1 },
});

describe('the balance of a temperature', () => {
  it('is the mean of min(different / wanted, 1) · different / right', () => {
    expect(balanceOf([{ right: 6, unique: 3 }], 4)).toBeCloseTo((3 / 4) * (3 / 6), 12);
    expect(balanceOf([{ right: 8, unique: 8 }], 4)).toBe(1);
    expect(balanceOf([{ right: 8, unique: 1 }], 4)).toBeCloseTo((1 / 4) * (1 / 8), 12);
    expect(balanceOf([{ right: 8, unique: 8 }].concat([{ right: 0, unique: 0 }]), 4)).toBe(0.5);
    expect(balanceOf([], 4)).toBe(0);
  });

  it('is best where it is highest, of equal ones the first; without any it is an error', () => {
    expect(bestBalanced([row(0.5, 0.1), row(0.7, 0.3), row(0.9, 0.3)])).toBe(0.7);
    expect(() => bestBalanced([])).toThrow(RangeError);
  });

  it('leaves a problem out at every temperature where one sample of it is unjudged', () => {
    const problems = [additionProblem(1, 2, 1), additionProblem(3, 4, 1)];
    const judged = (problem: number, text: string, verdict: Judged['verdict']['verdict']): Judged => ({
      rationale: {
        problem: problems[problem]!,
        ...{ sample: 0, hinted: false, text, tokens: [1], finish: 'stop' },
      },
      verdict:
        verdict === 'unjudged'
          ? { verdict, cause: 'away' }
          : verdict === 'incorrect'
            ? { verdict, why: 'no' }
            : { verdict },
      ...{ sound: null, firstWrongStep: null },
    });
    const seen = new Set<string>();
    const isNew = (key: string, text: string) => seen.size < seen.add(`${key} ${text}`).size;
    const rows = balanceRows(
      { temperatures: [0.5, 1], enough: 2 },
      problems,
      [
        [judged(0, 'a', 'correct'), judged(0, 'a', 'correct'), judged(1, 'x', 'correct')],
        [judged(0, 'a', 'correct'), judged(0, 'b', 'correct'), judged(0, 'c', 'incorrect'), judged(1, 'y', 'unjudged')],
      ],
      isNew,
    );
    expect(rows).toEqual([
      { temperature: 0.5, score: 0.25, problems: 1, right: 2, unique: 1 },
      { temperature: 1, score: 1, problems: 1, right: 2, unique: 2 },
    ]);
  });
});
