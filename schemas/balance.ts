/**
 * B-STaR's balance: how well the samples of one temperature feed the next training, many right ones and different ones both.
 *
 *   balanceOf([{ right: 6, unique: 3 }, { right: 0, unique: 0 }], 4)     // (min(3/4, 1) · 3/6 + 0) / 2 = 0.1875
 *
 * Score of a problem: min(n′/n*, 1) · n′/n, n the samples that the filter selects (here those that are right), n′ the different ones of
 * them, n* as many as are wanted of one problem. Source: arXiv:2412.17256 §3. There a reward model selects too, by a threshold that is
 * chosen along; here the verifier alone does. Pure.
 */
import { z } from 'zod';

export interface Probed {
  /** Samples of one problem that are right. */
  right: number;
  /** Different ones of them. */
  unique: number;
}

/** Of one temperature. */
export const BalanceRow = z.strictObject({
  temperature: z.number(),
  /** Mean over the problems, 0..1. */
  score: z.number().min(0).max(1),
  problems: z.int().nonnegative(),
  right: z.int().nonnegative(),
  unique: z.int().nonnegative(),
});
export type BalanceRow = z.infer<typeof BalanceRow>;

/** 0 of no problems. */
export function balanceOf(problems: readonly Probed[], enough: number): number {
  const scores = problems.map(({ right, unique }) =>
    right === 0 ? 0 : (Math.min(unique / enough, 1) * unique) / right,
  );
  return scores.reduce((sum, score) => sum + score, 0) / Math.max(1, scores.length);
}

/** The temperature of the highest score; of equal ones the first. @throws RangeError where there are none. */
export function bestBalanced(rows: readonly BalanceRow[]): number {
  const [first, ...others] = rows;
  if (first === undefined) throw new RangeError('no temperature was tried; a balance needs one or more');
  return others.reduce((best, row) => (row.score > best.score ? row : best), first).temperature;
}
