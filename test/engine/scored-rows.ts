/** Rows that a model scores, of many lengths, and that a row's score depends on that row alone. */
import { expect } from 'vitest';
import type { TrainRow } from '../../engine/engine.ts';
import { additionPrompt } from './models.ts';

export const scoredRows = (count: number): TrainRow[] =>
  Array.from({ length: count }, (_, n) => ({
    prompt: additionPrompt(n),
    completion: additionPrompt(n * 7).repeat(1 + (n % 3)),
  }));

export async function expectSameBits(score: (rows: TrainRow[]) => Promise<number[]>, rows: TrainRow[]): Promise<void> {
  const together = await score(rows);
  expect(new Set(together).size).toBeGreaterThan(rows.length * 0.88);
  expect(await score(rows.toReversed())).toEqual(together.toReversed());
  for (const n of [0, 1, 2, Math.floor(rows.length / 2) - 1, rows.length - 1])
    expect(await score([rows[n]!])).toEqual([together[n]]);
}
