/** starReplay and forks, on a real server: what is reused, what is done again, what is compared, and that the run stays as it is. */
import { WorkflowFailedError } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ReplayResult } from '../../schemas/replay.ts';
import { RunDocument } from '../../schemas/run.ts';
import { countingAdder, stagesDone } from '../support/counting-adder.ts';
import { createBench, smallRun, startRun, startServer, workflowBundle } from '../support/temporal.ts';
import type { Bench } from '../support/temporal.ts';

let env: TestWorkflowEnvironment;
let on: Bench;
const adder = countingAdder();
const always = () => true;
const never = () => false;
let document: RunDocument;

const documentOf = async (run: string, bench = on) => RunDocument.parse(await bench.store.getName(`runs/${run}`));

async function replay(id: string, input: unknown, bench = on): Promise<ReplayResult> {
  const before = await bench.store.getName('runs/origin');
  const handle = await env.client.workflow.start('starReplay', {
    workflowId: id,
    taskQueue: bench.taskQueue,
    args: [input],
  });
  const result = ReplayResult.parse(await handle.result());
  expect(await bench.store.getName('runs/origin'), 'the run is not altered').toEqual(before);
  return result;
}
const start = async (id: string, input: unknown) => {
  adder.requests = 0;
  await (await startRun(on, id, input)).result();
  return documentOf(id);
};
const failure = async (work: Promise<unknown>): Promise<string> => {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(WorkflowFailedError);
  return (error as WorkflowFailedError).cause?.message ?? '';
};
beforeAll(async () => {
  env = await startServer();
  on = await createBench(env, { engine: adder });
  await on.during(async () => {
    document = await start('origin', smallRun());
  });
}, 400_000);
afterAll(async () => {
  await on.close();
  await env.teardown();
});

describe('replay', () => {
  it(
    'an unchanged iteration is answered by the memo alone, with the same digests; so is the base',
    { timeout: 120_000 },
    async () => {
      await on.during(async () => {
        adder.requests = 0;
        for (const iteration of [2, 0]) {
          const result = await replay(`origin/replay-${iteration}-1`, { run: 'origin', iteration });
          const record = document.iterations[iteration] as RunDocument['iterations'][number];
          expect(result.replayed).toEqual({ ledgerDigest: record.ledgerDigest, weightsDigest: record.weightsDigest });
          expect(result).toMatchObject({ same: true, redone: 0, firstDifference: null, compared: null });
          expect(result.reused).toBe(record.shards.redone);
        }
        expect(adder.requests, 'the engine was not asked').toBe(0);
      });
    },
  );

  it(
    '--fresh does every shard again, compares each with the record and finds all equal; the memo is as before',
    { timeout: 120_000 },
    async () => {
      await on.during(async () => {
        const memo = await on.store.listNames('memo/');
        adder.requests = 0;
        const result = await replay('origin/replay-2-2', { run: 'origin', iteration: 2, fresh: true });
        expect(result).toMatchObject({ same: true, reused: 0, firstDifference: null });
        expect(result.redone).toBe(document.iterations[2]?.shards.redone);
        expect(result.compared).toEqual({ equal: result.redone, different: 0, unknown: 0 });
        expect(adder.requests).toBeGreaterThan(5);
        expect(await on.store.listNames('memo/')).toEqual(memo);
      });
    },
  );

  it(
    '--fresh names the first shard that differs where the engine gives other bytes; without it the memo hides that',
    { timeout: 120_000 },
    async () => {
      await on.during(async () => {
        adder.spoils = always;
        try {
          const result = await replay('origin/replay-1-1', { run: 'origin', iteration: 1, fresh: true });
          expect(result.same).toBe(false);
          expect(result.firstDifference).toMatchObject({ what: 'free.rationales', shard: 0 });
          expect(result.firstDifference?.recorded).toMatch(/^sha256:/);
          expect(result.firstDifference?.replayed).not.toBe(result.firstDifference?.recorded);
          expect(await replay('origin/replay-1-2', { run: 'origin', iteration: 1 })).toMatchObject({ same: true });
        } finally {
          adder.spoils = never;
        }
      });
    },
  );

  it(
    'without a memo --fresh still holds rows, weights and ledger against the record',
    { timeout: 120_000 },
    async () => {
      await on.during(async () => {
        const entries = await on.store.listNames('memo/');
        const kept = await Promise.all(entries.map((name) => on.store.getName(name)));
        for (const name of entries) await on.store.removeName(name);
        const input = { run: 'origin', iteration: 1, fresh: true };
        try {
          expect(await replay('origin/replay-1-3', input)).toMatchObject({ same: true, compared: { equal: 0 } });
          adder.spoils = always;
          const spoilt = await replay('origin/replay-1-4', input);
          expect(spoilt).toMatchObject({
            same: false,
            firstDifference: { what: 'judged rows', shard: expect.any(Number) as number },
          });
        } finally {
          adder.spoils = never;
          for (const [index, name] of entries.entries()) await on.store.replaceName(name, kept[index]);
        }
      });
    },
  );

  it('a changed option re-does its stage and those below it, and no other', { timeout: 120_000 }, async () => {
    await on.during(async () => {
      const set = { 'stages.next.with.steps.first': 9 };
      const result = await replay('origin/replay-2-3', { run: 'origin', iteration: 2, set });
      expect(stagesDone(result.stages)).toEqual(['next', 'score']);
      expect(result.same).toBe(false);
      expect(result.replayed.weightsDigest).not.toBe(result.recorded.weightsDigest);
      expect(result.changed).toEqual(set);
      const early = await replay('origin/replay-2-4', {
        run: 'origin',
        iteration: 2,
        set: { 'stages.free.with.temperature': 0.5 },
      });
      expect(stagesDone(early.stages)).toContain('free');
      expect(early.stages.batch).toEqual({ reused: 1, redone: 0 });
    });
  });

  it('what cannot be replayed is told at once, with the field', { timeout: 120_000 }, async () => {
    await on.during(async () => {
      const tell = (id: string, input: unknown) => failure(replay(id, input));
      expect(await tell('a', { run: 'nobody', iteration: 1 })).toContain('run: the store has no run "nobody"');
      expect(await tell('b', { run: 'origin', iteration: 7 })).toContain('no sealed iteration 7; it has 0, 1, 2');
      expect(await tell('c', { run: 'origin', iteration: 1, set: { 'stages.next.with.step': 1 } })).toContain(
        'did you mean stages.next.with.steps?',
      );
      expect(await tell('d', { run: 'origin', iteration: 'x' })).toContain('iteration:');
    });
  });

  it('a task whose files have changed since is refused, not waited for', { timeout: 120_000 }, async () => {
    const { implementation } = (document.resolved as NonNullable<RunDocument['resolved']>).context;
    const older = structuredClone(document);
    (older.resolved as NonNullable<RunDocument['resolved']>).context.implementation = implementation.replace(
      /.$/,
      (digit) => (digit === '0' ? '1' : '0'),
    );
    await on.store.replaceName('runs/older', { ...older, runId: 'older' });
    await on.during(async () => {
      expect(await failure(replay('older/replay-1-1', { run: 'older', iteration: 1 }))).toContain(
        'put them back, or fork the run',
      );
    });
    await on.store.removeName('runs/older');
  });

  it('its history replays', { timeout: 120_000 }, async () => {
    const { code } = await workflowBundle();
    for (const id of ['origin/replay-2-1', 'origin/replay-2-2']) {
      const history = await env.client.workflow.getHandle(id).fetchHistory();
      await Worker.runReplayHistory({ workflowBundle: { code } }, history, id);
    }
  });
});

describe('fork', () => {
  const forked = (from: number, more: object = {}) => smallRun({ set: {}, fork: { run: 'origin', from }, ...more });

  it(
    'unchanged, it asks the engine nothing and ends with the digests of its origin',
    { timeout: 120_000 },
    async () => {
      await on.during(async () => {
        const same = await start('fork-same', forked(1));
        expect(adder.requests).toBe(0);
        expect(same.ledgerDigest).toBe(document.ledgerDigest);
        expect(same.weightsDigest).toBe(document.weightsDigest);
        expect(same.iterations[0], 'a shared iteration is the same record').toEqual(document.iterations[0]);
        expect(same.iterations[1]?.shards.redone).toBe(0);
      });
    },
  );

  it(
    'one late option changed: only the stages below it are done in the first iteration, and earlier ones are shared',
    { timeout: 120_000 },
    async () => {
      await on.during(async () => {
        const late = await start('fork-late', forked(2, { set: { 'stages.next.with.learningRate': 0.01 } }));
        expect(late.iterations.slice(0, 2)).toEqual(document.iterations.slice(0, 2));
        const { stages = {}, shards } = late.iterations[2] as RunDocument['iterations'][number];
        expect(stagesDone(stages)).toEqual(['next', 'score']);
        expect(shards.redone).toBe((stages.next?.redone ?? 0) + (stages.score?.redone ?? 0));
        expect(shards.reused).toBeGreaterThan(10);
        expect(late.seed).toBe(document.seed);
        expect(late.iterations[2]?.ledgerDigest, 'above the change nothing moved').toBe(
          document.iterations[2]?.ledgerDigest,
        );
        expect(late.weightsDigest).not.toBe(document.weightsDigest);
        expect(await documentOf('origin'), 'the origin stays as it is').toEqual(document);
      });
    },
  );

  it('goes beyond the end of its origin', { timeout: 120_000 }, async () => {
    await on.during(async () => {
      const longer = await start('fork-longer', forked(3, { iterations: 3 }));
      expect(longer.iterations.slice(0, 3)).toEqual(document.iterations);
      expect(longer.iterations).toHaveLength(4);
      expect(longer.iterations[3]?.shards.redone).toBeGreaterThan(5);
    });
  });

  it('what contradicts the shared iterations is refused with its field', { timeout: 120_000 }, async () => {
    await on.during(async () => {
      const tell = (id: string, input: unknown) => failure(startRun(on, id, input).then((run) => run.result()));
      expect(await tell('f1', forked(4))).toContain('fork.from: run "origin" has sealed iterations 0 to 2');
      expect(await tell('f2', forked(1, { seed: 9 }))).toContain('keeps the seed');
      expect(await tell('f3', forked(1, { set: { 'base.steps.first': 3 } }))).toContain('set.base.steps.first');
      expect(await tell('f4', forked(1, { fork: { run: 'nobody', from: 1 } }))).toContain('no run "nobody"');
    });
  });
});
