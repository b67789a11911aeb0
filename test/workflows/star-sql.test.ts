/** STaR-SQL end to end on a real server with the scripted engine: rounds for the hard, a reward model, votes that mean the same. */
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { Engine, LabelledRow } from '../../engine/engine.ts';
import { createScriptedEngine } from '../../engine/scripted.ts';
import type { RunDocument, RunInput } from '../../schemas/run.ts';
import { RankedRow } from '../../schemas/ranking.ts';
import { Judged, LedgerRow } from '../../schemas/verdict.ts';
import { asSlice, readRows } from '../../store/rows.ts';
import { wholeOf } from '../../activities/sample.ts';
import { taskById } from '../../tasks/index.ts';
import type { Task } from '../../tasks/task.ts';
import { joinShards } from '../../workflows/shards.ts';
import { goldOf, hash } from '../support/skilled.ts';
import { suiteBench } from '../support/suite.ts';
import { createBench, documentOf, smallRun, startRun } from '../support/temporal.ts';

const addition = taskById('addition') as Task;
/** Each way of being wrong is another text, but an odd and an even sum are all that a vote hears. */
const voting: Task = {
  ...addition,
  id: 'voting',
  vote: (_, text) => {
    const sum = addition.parse(text);
    return sum === null ? null : sum.slice(-1);
  },
};

/** The reward trainings' rows, by the digest that came out. */
const labelled = new Map<string, LabelledRow[]>();
function engine(): Engine {
  const scripted = createScriptedEngine({
    // A quarter of the problems is hard: one sample in ten is right, of the others nine.
    answer: (prompt, row, model, { temperature }) => {
      const isHard = hash(prompt.slice(0, 5)) % 4 === 0;
      const luck = hash(`${model.digest}/${prompt}/${temperature === 0 ? '' : row.seed}`) % 100;
      const wrong = () => goldOf(prompt).replace(/\d+$/, (sum) => String(Number(sum) + 10 * (1 + (luck % 7))));
      return luck < (isHard ? 10 : 90) ? goldOf(prompt) : wrong();
    },
    score: ({ prompt, completion }) => (completion === goldOf(prompt) ? 2 : -2),
  });
  return {
    ...scripted,
    train: async (request, control) => {
      const made = await scripted.train(request, control);
      const lines = (await readFile(request.dataPath, 'utf8')).split('\n').filter(Boolean);
      if (request.rewardModel)
        labelled.set(
          made.weightsDigest,
          lines.map((line) => JSON.parse(line) as LabelledRow),
        );
      return made;
    },
  };
}

const on = suiteBench({ engine: engine(), tasks: [voting] });

const finished = (id: string, more: Partial<RunInput> = {}): Promise<RunDocument> =>
  on.bench.during(async () => {
    const { set } = smallRun();
    const few = { 'stages.reward.with.steps': { first: 3 }, 'heldOut.test': 12 };
    const input = smallRun({ recipe: 'star-sql', task: 'voting', iterations: 1, set: { ...set, ...few }, ...more });
    await (await startRun(on.bench, id, input)).result();
    return documentOf(on.bench, id);
  });
const only = <X>(map: Map<string, X>): X => {
  expect(map.size).toBe(1);
  return [...map.values()][0]!;
};

describe('STaR-SQL', { timeout: 120_000 }, () => {
  it('gives the hard problems a second round of other samples, and hints to what is still unsolved', async () => {
    const document = await finished('whole');
    expect(document.status).toBe('done');
    const [, one] = document.iterations;
    const ledger = await readRows(on.bench.store, wholeOf(one!.ledgerRef), LedgerRow);
    expect(ledger).toHaveLength(40);
    const freeOf = ({ samples }: LedgerRow) => samples.filter(({ hinted }) => !hinted);
    const isHard = (row: LedgerRow) =>
      freeOf(row).filter(({ sample, verdict }) => sample < 4 && verdict === 'correct').length <= 1;
    expect(ledger.filter(isHard).length).toBeGreaterThan(3);
    expect(ledger.filter(isHard).length).toBeLessThan(25);
    for (const row of ledger)
      expect(freeOf(row).map(({ sample }) => sample)).toEqual(
        Array.from({ length: isHard(row) ? 16 : 4 }, (_, n) => n),
      );
    const rescued = ledger.filter(
      (row) =>
        row.outcome === 'accepted-free' &&
        freeOf(row).every(({ sample, verdict }) => sample > 3 || verdict !== 'correct'),
    );
    expect(rescued.length).toBeGreaterThan(0);
    const judged = await readRows(on.bench.store, asSlice(joinShards(one!.judged)), Judged);
    const late = judged.filter(({ rationale }) => rationale.sample >= 4);
    // A second round that sampled with the first one's seeds would say the same again.
    const texts = new Set(late.map(({ rationale }) => `${rationale.problem.id} ${rationale.text}`));
    expect(texts.size).toBeGreaterThan(2 * new Set(late.map(({ rationale }) => rationale.problem.id)).size);
  });

  it('trains its reward model on every judged free rationale, each text once, none of the test problems', async () => {
    const rows = only(labelled);
    const [, one] = (await documentOf(on.bench, 'whole')).iterations;
    const judged = await readRows(on.bench.store, asSlice(joinShards(one!.judged)), Judged);
    const free = judged.filter(({ rationale }) => !rationale.hinted);
    const key = (prompt: string, completion: string) => `${prompt}${completion}`;
    const wanted = new Map(
      free.map(({ rationale, verdict }) => [
        key(addition.prompt.free(rationale.problem), rationale.text),
        verdict.verdict === 'correct',
      ]),
    );
    expect(new Map(rows.map(({ prompt, completion, correct }) => [key(prompt, completion), correct]))).toEqual(wanted);
    expect(rows).toHaveLength(wanted.size);
    expect(rows.some(({ correct }) => correct)).toBe(true);
    expect(rows.some(({ correct }) => !correct)).toBe(true);
  });

  it('ranks by reward, and counts as one vote what the task holds equal', async () => {
    const { ranking } = (await documentOf(on.bench, 'whole')).iterations[1]!;
    expect(ranking).toMatchObject({ n: 12, unjudged: 0, samples: 8 });
    for (const { pass, verifier } of ranking!.byK) expect(verifier).toBeCloseTo(pass, 12);
    const rows = await readRows(on.bench.store, asSlice(joinShards(ranking!.rows)), RankedRow);
    for (const { answer, rationale } of rows) expect(answer).toBe(rationale.text.slice(-1));
    // All that is wrong ends in the same digit as what is right: one vote, which is right as often as a candidate.
    const [single, , , all] = ranking!.byK;
    expect(all!.majority).toBeCloseTo(single!.pass, 12);
    expect(all!.verifier).toBeGreaterThan(all!.majority);
  });

  it('gives the same ledger, rows and ranking at another shard size', async () => {
    const rows = only(labelled);
    const [one, other] = [await documentOf(on.bench, 'whole'), await finished('other', { shardSize: 7 })];
    expect(other.iterations[1]?.ledgerDigest).toBe(one.iterations[1]?.ledgerDigest);
    expect(other.iterations[1]?.ranking?.byK).toEqual(one.iterations[1]?.ranking?.byK);
    // The same reward model out of the same rows.
    expect(only(labelled)).toEqual(rows);
  });

  it('with shuffled labels trains on as many right ones, drawn', async () => {
    const rows = only(labelled);
    await finished('coin', { recipe: 'star-sql-shuffled-labels' });
    const [, coin] = [...labelled.values()];
    expect(coin).toHaveLength(rows.length);
    const right = (of: LabelledRow[]) => of.filter(({ correct }) => correct);
    expect(right(coin!)).toHaveLength(right(rows).length);
    const really = right(coin!).filter(({ prompt, completion }) => completion === goldOf(prompt));
    expect(really.length).toBeLessThan(right(rows).length);
  });
});

describe('an engine that trains no reward models', { timeout: 60_000 }, () => {
  it('is refused before anything starts', async () => {
    const poor = await createBench(on.env, {
      engine: { ...engine(), learns: ['preference', 'policy'] },
      tasks: [voting],
    });
    const run = await poor.during(async () => {
      const handle = await startRun(poor, 'poor', smallRun({ recipe: 'star-sql', task: 'voting' }));
      return handle.result().catch((error: { cause?: unknown }) => error.cause);
    });
    expect(run).toMatchObject({
      type: 'InvalidInput',
      message: expect.stringContaining('does not train reward models, as reward asks; name one that trains') as string,
    });
    await poor.close();
  });
});
