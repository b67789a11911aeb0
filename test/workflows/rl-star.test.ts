/** RL-STaR end to end on a real server with the scripted engine; what it hands to the engine is read by the test. */
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { Engine, PolicyRow, TrainRequest } from '../../engine/engine.ts';
import { createScriptedEngine } from '../../engine/scripted.ts';
import { ReplayResult } from '../../schemas/replay.ts';
import type { IterationRecord, RunDocument } from '../../schemas/run.ts';
import { Judged } from '../../schemas/verdict.ts';
import { asSlice, readRows } from '../../store/rows.ts';
import { taskById } from '../../tasks/index.ts';
import type { Task } from '../../tasks/task.ts';
import { joinShards } from '../../workflows/shards.ts';
import { goldOf, hash } from '../support/skilled.ts';
import { suiteBench } from '../support/suite.ts';
import { createBench, documentOf, smallRun, startRun } from '../support/temporal.ts';

const addition = taskById('addition') as Task;
/** Where the first number ends in 7, its verifier is out of order. */
const faulty: Task = {
  ...addition,
  judge: (problem, text) => {
    if (/^\d*7\+/.test(problem.id)) throw new Error('out of order');
    return addition.judge(problem, text);
  },
};

const asked: { policy: TrainRequest['policy']; start: TrainRequest['start']; rows: PolicyRow[] }[] = [];
/** Right by the hash of (model, prompt, seed) in two of five. */
const engine = (): Engine => {
  const scripted = createScriptedEngine({
    answer: (prompt, row, model, { temperature }) => {
      const luck = hash(`${model.digest}/${prompt}/${temperature === 0 ? '' : row.seed}`) % 100;
      return luck < 40 ? goldOf(prompt) : goldOf(prompt).replace(/\d+$/, (sum) => String(Number(sum) + 1));
    },
  });
  return {
    ...scripted,
    async train(request, control) {
      if (request.policy) {
        const lines = (await readFile(request.dataPath, 'utf8')).trim().split('\n');
        const { policy, start } = request;
        asked.push({ policy, start, rows: lines.map((line) => JSON.parse(line) as PolicyRow) });
      }
      return scripted.train(request, control);
    },
  };
};

const on = suiteBench({ engine: engine(), tasks: [faulty] });

const { set } = smallRun();
const finished = (id: string, more: Record<string, unknown> = {}, recipe = 'rl-star'): Promise<RunDocument> =>
  on.bench.during(async () => {
    const few = {
      'stages.sampled.with.samples': 4,
      'judging.atMostUnjudged': 1,
      'heldOut.test': 20,
      'heldOut.dev': 20,
    };
    await (await startRun(on.bench, id, smallRun({ recipe, set: { ...set, ...few, ...more } }))).result();
    return documentOf(on.bench, id);
  });
const judgedIn = (record: IterationRecord) => readRows(on.bench.store, asSlice(joinShards(record.judged)), Judged);

describe('RL-STaR', { timeout: 300_000 }, () => {
  it('learns from every judged sample of a group that is not all one, right ones up and wrong ones down, from the model that sampled', async () => {
    const document = await finished('rl-star');
    expect(document.status).toBe('done');
    const [zero, one, two] = document.iterations;
    expect(asked).toHaveLength(2);
    for (const [n, record] of [one!, two!].entries()) {
      const { rows, policy, start } = asked[n]!;
      const { ledger, drawn, trainedOn } = record;
      expect(ledger.acceptedFree + ledger.acceptedHinted + ledger.rejected + ledger.unjudged).toBe(drawn);
      expect(ledger.unjudged).toBeGreaterThan(0);
      const before = (n === 0 ? zero! : one!).checkpoint;
      expect(policy).toMatchObject({ ratio: { clip: 0.2, sampler: { digest: before } } });
      expect(start).toMatchObject({ kind: 'checkpoint', checkpoint: { digest: before } });

      const judged = await judgedIn(record);
      const groups = new Map<string, number[]>();
      for (const { rationale, verdict } of judged) {
        if (verdict.verdict === 'unjudged') continue;
        const prompt = addition.prompt.free(rationale.problem);
        groups.set(prompt, [...(groups.get(prompt) ?? []), Number(verdict.verdict === 'correct')]);
      }
      const mixed = [...groups].filter(([, rewards]) => new Set(rewards).size === 2);
      expect(mixed.length).toBeGreaterThan(10);
      expect(rows).toHaveLength(mixed.length * 4);
      expect(rows).toHaveLength(trainedOn);
      for (const [prompt, rewards] of mixed) {
        const own = rows.filter((row) => row.prompt === prompt);
        const right = own.filter(({ completion }) => completion === goldOf(prompt));
        expect(right).toHaveLength(rewards.reduce((sum, reward) => sum + reward, 0));
        for (const row of own) expect(row.advantage > 0).toBe(row.completion === goldOf(prompt));
        expect(own.reduce((sum, { advantage }) => sum + advantage, 0)).toBeCloseTo(0, 9);
      }
    }
    expect(asked.flatMap(({ rows }) => rows).filter(({ prompt }) => /^\d*7\+/.test(prompt))).toEqual([]);

    await on.bench.during(async () => {
      const handle = await on.env.client.workflow.start('starReplay', {
        ...{ workflowId: 'rl-star/replay-2-1', taskQueue: on.bench.taskQueue },
        args: [{ run: 'rl-star', iteration: 2 }],
      });
      const replayed = ReplayResult.parse(await handle.result());
      expect(replayed.same).toBe(true);
    });
    expect(asked).toHaveLength(2);
  });

  it('with shuffled labels has as many right ones in each group, and which they are is drawn', async () => {
    const [real] = asked;
    await finished('coin', {}, 'rl-star-shuffled-labels');
    const coin = asked[2]!;
    expect(coin.rows.map(({ prompt }) => prompt)).toEqual(real!.rows.map(({ prompt }) => prompt));
    expect(coin.rows.map(({ completion }) => completion)).toEqual(real!.rows.map(({ completion }) => completion));
    const up = (rows: PolicyRow[]) => rows.filter(({ advantage }) => advantage > 0);
    expect(up(coin.rows)).toHaveLength(up(real!.rows).length);
    const wrong = up(coin.rows).filter(({ prompt, completion }) => completion !== goldOf(prompt));
    expect(wrong.length / up(coin.rows).length).toBeGreaterThan(0.3);
  });

  it('of REINFORCE is trained on right ones alone, without a ratio', async () => {
    const before = asked.length;
    await finished('plain', { 'stages.next.with.objective': 'reinforce' });
    const { rows, policy } = asked[before]!;
    expect(policy).toEqual({});
    expect(rows.every(({ advantage, prompt, completion }) => advantage === 1 && completion === goldOf(prompt))).toBe(
      true,
    );
    expect(rows.length).toBeGreaterThan(30);
  });
});

describe('an engine that does not learn by rewards', { timeout: 60_000 }, () => {
  it('is refused before anything starts', async () => {
    const { learns: _, ...other } = engine();
    const poor = await createBench(on.env, { engine: other });
    const run = await poor.during(async () => {
      const handle = await startRun(poor, 'poor', smallRun({ recipe: 'rl-star' }));
      return handle.result().catch((error: { cause?: unknown }) => error.cause);
    });
    expect(run).toMatchObject({
      type: 'InvalidInput',
      message: expect.stringContaining(
        'does not learn by rewards (grpo), as next asks; name one that trains',
      ) as string,
    });
    await poor.close();
  });
});
