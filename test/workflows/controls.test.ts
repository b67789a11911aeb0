/** Controls and limits of a run, on a real server with the scripted engine. */
import { describe, expect, it } from 'vitest';
import { Example } from '../../schemas/example.ts';
import { Problem } from '../../schemas/problem.ts';
import type { IterationRecord, RunDocument, RunInput } from '../../schemas/run.ts';
import { joinShards } from '../../workflows/shards.ts';
import { asSlice, readRows } from '../../store/rows.ts';
import { taskById } from '../../tasks/index.ts';
import type { Task } from '../../tasks/task.ts';
import { suiteBench } from '../support/suite.ts';
import { documentOf, smallRun, startRun } from '../support/temporal.ts';

const addition = taskById('addition') as Task;
const on = suiteBench();

const finished = (id: string, input: Partial<RunInput>): Promise<RunDocument> =>
  on.bench.during(async () => {
    await (await startRun(on.bench, id, input)).result();
    return documentOf(on.bench, id);
  });

/** The rows an iteration trained on besides seeds, and how many of them answer wrongly. */
async function learned(document: RunDocument, n: number): Promise<{ rows: Example[]; wrong: number }> {
  const { examples } = document.iterations[n] as IterationRecord;
  const rows = await readRows(on.bench.store, asSlice(joinShards(examples)), Example);
  const sumOf = ({ problem }: Example) => String(problem.split('+').reduce((sum, part) => sum + Number(part), 0));
  return { rows, wrong: rows.filter((row) => addition.parse(row.completion) !== sumOf(row)).length };
}

describe('the control without the filter', () => {
  it(
    'trains on as many rationales, right or wrong, and the ledger stays what it was',
    { timeout: 120_000 },
    async () => {
      const star = await finished('filtered', smallRun({ iterations: 1 }));
      const control = await finished('unfiltered', smallRun({ iterations: 1, recipe: 'star-unfiltered' }));
      const [kept, any] = [await learned(star, 1), await learned(control, 1)];
      expect(kept.rows.length).toBeGreaterThan(8);
      expect(any.rows).toHaveLength(kept.rows.length);
      expect(kept.wrong).toBe(0);
      expect(any.wrong).toBeGreaterThan(0);
      expect(control.ledgerDigest).toBe(star.ledgerDigest);
      expect(control.iterations[1]?.trainedOn).toBe(star.iterations[1]?.trainedOn);
      expect(control.weightsDigest).not.toBe(star.weightsDigest);
    },
  );
});

describe('a limit on held-out problems', () => {
  it('asks so many of each split, the same ones whatever the seed', { timeout: 120_000 }, async () => {
    const asked = async (id: string, seed: number) => {
      const { resolved, iterations } = await finished(
        id,
        smallRun({ iterations: 0, seed, set: { ...smallRun().set, 'heldOut.dev': 5, 'heldOut.test': 7 } }),
      );
      expect(iterations[0]?.dev.n).toBe(5);
      expect(iterations[0]?.accuracy.n).toBe(7);
      const { test } = resolved as NonNullable<typeof resolved>;
      return (await readRows(on.bench.store, asSlice(test), Problem)).map(({ id }) => id);
    };
    expect(await asked('limited', 1)).toEqual(await asked('limited-2', 2));
  });
});
