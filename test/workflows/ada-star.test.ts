/** AdaSTaR end to end on a real server with the scripted engine: its queue moves, and a replay and a fork find that of their iteration. */
import { describe, expect, it } from 'vitest';
import type { Rows } from '../../schemas/port-values.ts';
import { afterTurns, QueueRow } from '../../schemas/queue.ts';
import { ReplayResult } from '../../schemas/replay.ts';
import type { IterationRecord } from '../../schemas/run.ts';
import { Judged } from '../../schemas/verdict.ts';
import { asSlice, readRows } from '../../store/rows.ts';
import { joinShards } from '../../workflows/shards.ts';
import { suiteBench } from '../support/suite.ts';
import { documentOf, smallRun, startRun } from '../support/temporal.ts';

const on = suiteBench();

const { set } = smallRun();
const input = smallRun({
  recipe: 'ada-star',
  iterations: 3,
  set: { ...set, 'stages.batch.with.pool': 60, 'heldOut.test': 20 },
});
const queueOf = (record: IterationRecord) => readRows(on.bench.store, asSlice(record.queue as Rows), QueueRow);
const drawnIn = async (record: IterationRecord) => {
  const rows = await readRows(on.bench.store, asSlice(joinShards(record.judged)), Judged);
  return rows.filter(({ rationale }) => !rationale.hinted);
};

describe('AdaSTaR', { timeout: 300_000 }, () => {
  it('draws those whose turn is longest ago, and moves m·α² of them on', async () => {
    await on.bench.during(async () => (await startRun(on.bench, 'ada', input)).result());
    const document = await documentOf(on.bench, 'ada');
    expect(document.status).toBe('done');
    let before: QueueRow[] = [];
    for (const record of document.iterations.slice(1)) {
      const { drawn, ledger } = record;
      expect(drawn).toBe(40);
      const ids = (await drawnIn(record)).map(({ rationale }) => rationale.problem.id);
      const queue = await queueOf(record);
      const moved = queue.filter(({ last }) => last === record.n);
      const solved = ledger.acceptedFree + ledger.acceptedHinted;
      expect(solved).toBeGreaterThan(10);
      expect(moved).toHaveLength(Math.round(40 * (solved / 40) ** 2));
      for (const { problem } of moved) expect(ids).toContain(problem);
      // Of sixty, twenty were never drawn before: they come first now.
      const waited = ids.filter((id) => !before.some(({ problem }) => problem === id));
      expect(waited.length).toBe(Math.min(40, 60 - before.length));
      expect(queue.length).toBeGreaterThanOrEqual(before.length);
      before = queue;
    }
    expect(afterTurns(before, [], 9)).toEqual(before);
  });

  it('is found by a replay and by a fork, as it stood', async () => {
    const document = await documentOf(on.bench, 'ada');
    await on.bench.during(async () => {
      const handle = await on.env.client.workflow.start('starReplay', {
        ...{ workflowId: 'ada/replay-2-1', taskQueue: on.bench.taskQueue },
        args: [{ run: 'ada', iteration: 2 }],
      });
      expect(ReplayResult.parse(await handle.result())).toMatchObject({ same: true, redone: 0 });
      await (
        await startRun(on.bench, 'ada-fork', { recipe: 'ada-star', task: 'addition', fork: { run: 'ada', from: 3 } })
      ).result();
    });
    const fork = await documentOf(on.bench, 'ada-fork');
    expect(fork.iterations.map(({ queue }) => queue)).toEqual(document.iterations.map(({ queue }) => queue));
    expect(fork.ledgerDigest).toBe(document.ledgerDigest);
  });
});
