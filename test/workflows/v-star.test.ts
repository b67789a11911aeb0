/** V-STaR end to end, two iterations on a real server with the scripted engine; its verifier scores as a test says. */
import { describe, expect, it } from 'vitest';
import { createScriptedEngine } from '../../engine/scripted.ts';
import { Pair } from '../../schemas/pair.ts';
import type { Rows } from '../../schemas/port-values.ts';
import { Problem } from '../../schemas/problem.ts';
import { RankedRow } from '../../schemas/ranking.ts';
import { ReplayResult } from '../../schemas/replay.ts';
import type { IterationRecord, RunDocument } from '../../schemas/run.ts';
import { asSlice, readRows } from '../../store/rows.ts';
import { taskById } from '../../tasks/index.ts';
import type { Task } from '../../tasks/task.ts';
import { joinShards } from '../../workflows/shards.ts';
import { goldOf, hash } from '../support/skilled.ts';
import { suiteBench } from '../support/suite.ts';
import { createBench, documentOf, smallRun, startRun } from '../support/temporal.ts';

const addition = taskById('addition') as Task;
const sumOf = (problem: string) => String(problem.split('+').reduce((sum, part) => sum + Number(part), 0));

/** Right by the hash of (model, prompt, seed), wrong in one of two ways else; its log-probabilities know what is right. */
const engine = () =>
  createScriptedEngine({
    answer: (prompt, row, model, { temperature }) => {
      const luck = hash(`${model.digest}/${prompt}/${temperature === 0 ? '' : row.seed}`) % 100;
      return luck < 40 ? goldOf(prompt) : goldOf(prompt).replace(/\d+$/, (sum) => String(Number(sum) + 1 + (luck % 2)));
    },
    score: ({ prompt, completion }, model) =>
      (completion === goldOf(prompt) ? -1 : -5) - (hash(`${model.digest}${completion}`) % 100) / 1000,
  });

const on = suiteBench({ engine: engine() });

const finished = (id: string, recipe: string): Promise<RunDocument> =>
  on.bench.during(async () => {
    const { set } = smallRun();
    const few = { 'stages.verifier.with.steps': { first: 3 }, 'stages.best.with.samples': 4, 'heldOut.test': 20 };
    await (await startRun(on.bench, id, smallRun({ recipe, set: { ...set, ...few } }))).result();
    return documentOf(on.bench, id);
  });
const pairsOf = (record: IterationRecord | undefined) => readRows(on.bench.store, asSlice(record?.pairs as Rows), Pair);
const wrongOf = (pairs: Pair[]) =>
  pairs.filter(({ problem, chosen }) => addition.parse(chosen.completion) !== sumOf(problem)).length;

describe('V-STaR', { timeout: 120_000 }, () => {
  it('keeps right and wrong as pairs, trains a verifier and ranks held-out candidates; the ledger adds up', async () => {
    const document = await finished('v-star', 'v-star');
    expect(document.status).toBe('done');
    const [zero, one, two] = document.iterations;
    expect(zero?.ranking).toBeUndefined();
    for (const { ledger, drawn } of [one!, two!])
      expect(ledger.acceptedFree + ledger.acceptedHinted + ledger.rejected + ledger.unjudged).toBe(drawn);

    const [first, second] = [await pairsOf(one), await pairsOf(two)];
    expect(first.length).toBeGreaterThan(30);
    expect(wrongOf(second)).toBe(0);
    for (const { problem, rejected } of second) expect(addition.parse(rejected.completion)).not.toBe(sumOf(problem));
    const keyOf = (pair: Pair) => JSON.stringify([pair.problem, pair.chosen.completion, pair.rejected.completion]);
    const held = new Set(second.map(keyOf));
    expect(held.size).toBe(second.length);
    for (const pair of first) expect(held).toContain(keyOf(pair));
    expect(second.length).toBeGreaterThan(first.length);

    const test = await readRows(on.bench.store, asSlice(document.resolved!.test), Problem);
    const heldOut = new Set(test.map(({ identity }) => identity));
    for (const { identity } of second) expect(heldOut).not.toContain(identity);

    const ranking = two!.ranking!;
    expect(ranking).toMatchObject({ n: 20, unjudged: 0, samples: 4 });
    expect(ranking.byK.map(({ k }) => k)).toEqual([1, 2, 4]);
    // A verifier that knows finds what is right wherever there is some.
    for (const { pass, verifier } of ranking.byK) expect(verifier).toBeCloseTo(pass, 12);
    const [single, , all] = ranking.byK;
    expect(single!.majority).toBeCloseTo(single!.pass, 12);
    expect(all!.verifier).toBeGreaterThan(single!.pass + 0.2);
    expect(all!.majority).toBeLessThan(all!.verifier);
    const rows = await readRows(on.bench.store, asSlice(joinShards(ranking.rows)), RankedRow);
    expect(rows).toHaveLength(80);
    const right = rows.filter(({ verdict }) => verdict.verdict === 'correct').length;
    expect(right).toBeGreaterThan(10);
    expect(right).toBeLessThan(70);

    await on.bench.during(async () => {
      const handle = await on.env.client.workflow.start('starReplay', {
        ...{ workflowId: 'v-star/replay-2-1', taskQueue: on.bench.taskQueue },
        args: [{ run: 'v-star', iteration: 2 }],
      });
      expect(ReplayResult.parse(await handle.result())).toMatchObject({ same: true, redone: 0 });
    });
  });

  it('with shuffled labels has as many pairs, and what is chosen in them is a coin', async () => {
    const document = await finished('coin', 'v-star-shuffled-labels');
    const shuffled = await pairsOf(document.iterations[1]);
    expect(shuffled).toHaveLength((await pairsOf((await documentOf(on.bench, 'v-star')).iterations[1])).length);
    expect(wrongOf(shuffled) / shuffled.length).toBeGreaterThan(0.3);
    expect(document.iterations[1]?.ledger).toEqual((await documentOf(on.bench, 'v-star')).iterations[1]?.ledger);
  });
});

describe('an engine without log-probabilities', { timeout: 60_000 }, () => {
  it('is refused before anything starts', async () => {
    const { score: _, ...mute } = engine();
    const other = await createBench(on.env, { engine: mute });
    const run = await other.during(async () => {
      const handle = await startRun(other, 'mute', smallRun({ recipe: 'v-star' }));
      return handle.result().catch((error: { cause?: unknown }) => error.cause);
    });
    expect(run).toMatchObject({
      type: 'InvalidInput',
      message: expect.stringContaining('gives no log-probabilities') as string,
    });
    await other.close();
  });
});
