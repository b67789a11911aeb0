/** Replay and fork of an iteration whose shards ran in fan-out children: counted and compared shard for shard, behind manifests. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { firstDifference } from '../../activities/confront.ts';
import { ReplayResult } from '../../schemas/replay.ts';
import { RunDocument } from '../../schemas/run.ts';
import type { IterationRecord } from '../../schemas/run.ts';
import { leavesOf } from '../../store/manifest.ts';
import { historySizes } from '../support/histories.ts';
import { countingAdder, stagesDone } from '../support/counting-adder.ts';
import { createBench, smallRun, startRun, startServer } from '../support/temporal.ts';
import type { Bench } from '../support/temporal.ts';

let env: TestWorkflowEnvironment;
let on: Bench;
const adder = countingAdder();
let document: RunDocument;
let record: IterationRecord;

/** 60 problems, one a shard: more than one block of a fan-out. */
const input = (more: object = {}) => {
  const small = smallRun({ iterations: 1, shardSize: 1 });
  return { ...small, parameters: { digits: 1 }, set: { ...small.set, 'stages.batch.with.count': 60 }, ...more };
};
const documentOf = async (id: string) => RunDocument.parse(await on.store.getName(`runs/${id}`));
async function replay(id: string, more: object = {}): Promise<ReplayResult> {
  adder.requests = 0;
  const args = [{ run: 'wide', iteration: 1, ...more }];
  const handle = await env.client.workflow.start('starReplay', { workflowId: id, taskQueue: on.taskQueue, args });
  return ReplayResult.parse(await handle.result());
}
beforeAll(async () => {
  env = await startServer();
  on = await createBench(env, { engine: adder, fanOutAbove: 0, shardsInFlight: 4 });
  await on.during(async () => (await startRun(on, 'wide', input())).result());
  document = await documentOf('wide');
  record = document.iterations[1] as IterationRecord;
}, 400_000);
afterAll(async () => {
  await on.close();
  await env.teardown();
});

describe('an iteration that fanned out', { timeout: 240_000 }, () => {
  it('has its counts by stage, and they add up to those of the iteration', () => {
    const counts = Object.values(record.stages ?? {});
    expect(record.stages?.free).toEqual({ reused: 0, redone: 60 });
    expect(counts.reduce((sum, one) => sum + one.redone, 0)).toBe(record.shards.redone);
    expect(record.judged.some((ref) => ref.parts !== undefined)).toBe(true);
  });

  it('is replayed from the memo alone, in children of the replay', async () => {
    await on.during(async () => {
      const result = await replay('wide/replay-1-1');
      expect(result).toMatchObject({ same: true, redone: 0, reused: record.shards.redone, firstDifference: null });
      expect(adder.requests).toBe(0);
    });
    const children = await historySizes(env.client.workflow, 'wide/replay-1-1/');
    expect(children.map((one) => one.workflowId)).toContain('wide/replay-1-1/free');
  });

  it('is done again by --fresh, and each of its shards is compared and equal', async () => {
    await on.during(async () => {
      const result = await replay('wide/replay-1-2', { fresh: true });
      expect(result).toMatchObject({ same: true, reused: 0, redone: record.shards.redone });
      expect(result.compared).toEqual({ equal: record.shards.redone, different: 0, unknown: 0 });
      const engaged = ['free', 'hinted', 'next', 'score'].map((name) => record.stages?.[name]?.redone ?? 0);
      expect(adder.requests).toBe(engaged.reduce((sum, one) => sum + one, 0));
    });
  });

  it('has its first different shard named by --fresh, from behind the joins of its blocks', async () => {
    await on.during(async () => {
      adder.spoils = (request) => request === 20;
      try {
        const result = await replay('wide/replay-1-3', { fresh: true });
        const { firstDifference: first } = result;
        expect(first?.what).toBe('free.rationales');
        // Up to four shards are under way at once, so the twentieth request is one of the shards about it.
        expect(first?.shard).toBeGreaterThan(14);
        expect(first?.shard).toBeLessThan(25);
        expect(result.same).toBe(false);
        expect(result.compared?.different).toBeGreaterThanOrEqual(1);
      } finally {
        adder.spoils = () => false;
      }
    });
  });

  it('forked with one late option changed, is done again below that alone', async () => {
    await on.during(async () => {
      adder.requests = 0;
      const fork = { fork: { run: 'wide', from: 1 }, set: { 'stages.next.with.learningRate': 0.01 } };
      await (await startRun(on, 'wide-f1-1', input(fork))).result();
      const { stages = {}, shards } = (await documentOf('wide-f1-1')).iterations[1] as IterationRecord;
      expect(stagesDone(stages)).toEqual(['next', 'score']);
      expect(shards.redone).toBe(1 + (record.stages?.score?.redone ?? 0));
      expect(stages.free).toEqual({ reused: 60, redone: 0 });
      expect(adder.requests).toBe(shards.redone);
    });
  });

  it('is equal to itself however its shards are listed, and unequal where one is another', async () => {
    const flat = { ...record, judged: await leavesOf(on.store, record.judged) };
    expect(flat.judged.length).toBeGreaterThan(record.judged.length);
    expect(await firstDifference(on.store, record, flat)).toBeUndefined();
    const [first, ...rest] = flat.judged.filter((ref) => ref.rows !== 0);
    const other = await on.store.put('other\n', 1);
    expect(await firstDifference(on.store, record, { ...flat, judged: [other, ...rest] })).toEqual({
      what: 'judged rows',
      shard: 0,
      recorded: first?.digest,
      replayed: other.digest,
    });
  });
});
