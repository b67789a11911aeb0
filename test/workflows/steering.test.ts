/** Updates of a run: pause, resume, stop, retry with changed options, abandon; cancel; and its history replays. */
import { WorkflowFailedError } from '@temporalio/client';
import type { WorkflowHandle } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { EngineError } from '../../engine/engine.ts';
import type { Progress } from '../../schemas/run.ts';
import { fileServer } from '../support/file-server.ts';
import { documentOf, scriptedAdder, smallRun, startRun, workflowBundle } from '../support/temporal.ts';
import type { Bench } from '../support/temporal.ts';

const server = fileServer();

const progressOf = (handle: WorkflowHandle) => handle.query<Progress>('progress');
async function until(handle: WorkflowHandle, what: (progress: Progress) => boolean): Promise<Progress> {
  for (let i = 0; i < 300; i++) {
    const progress = await progressOf(handle);
    if (what(progress)) return progress;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`waited in vain; the run is ${JSON.stringify(await progressOf(handle))}`);
}
/** The document follows the state a moment later. */
async function statusBecomes(on: Bench, run: string, status: string): Promise<void> {
  await expect.poll(async () => (await documentOf(on, run)).status, { timeout: 10_000 }).toBe(status);
}

/** Holds every request until let go; counts them. */
function gated() {
  const inner = scriptedAdder();
  let open = true;
  let waiting: (() => void)[] = [];
  const pass = (signal?: AbortSignal) =>
    open
      ? Promise.resolve()
      : new Promise<void>((resolve, reject) => {
          waiting.push(resolve);
          signal?.addEventListener('abort', () => reject(signal.reason as Error));
        });
  const engine: Engine = {
    ...inner,
    sample: async (request, control) => {
      await pass(control?.signal);
      return inner.sample(request, control);
    },
  };
  return {
    engine,
    hold: () => void (open = false),
    release: () => {
      open = true;
      for (const go of waiting) go();
      waiting = [];
    },
  };
}

describe('steering a run', () => {
  it('pauses at a shard and goes on to the same digests', { timeout: 120_000 }, async () => {
    const plain = await server.bench();
    await plain.during(async () => (await startRun(plain, 'plain', smallRun())).result());
    const { engine, hold, release } = gated();
    const on = await server.bench({ engine: engine });
    await on.during(async () => {
      hold();
      const handle = await startRun(on, 'paused', smallRun());
      await until(handle, (progress) => progress.iteration === 0);
      await handle.executeUpdate('pause');
      release();
      expect((await progressOf(handle)).status).toBe('paused');
      await new Promise((resolve) => setTimeout(resolve, 1500));
      const still = await progressOf(handle);
      expect(still.records.length).toBeLessThan(2);
      await statusBecomes(on, 'paused', 'paused');
      await handle.executeUpdate('resume');
      await handle.result();
    });
    const [one, other] = [await documentOf(plain, 'plain'), await documentOf(on, 'paused')];
    expect(other.status).toBe('done');
    expect(other.ledgerDigest).toBe(one.ledgerDigest);
    expect(other.weightsDigest).toBe(one.weightsDigest);
  });

  it('stops when the shards under way are done, and leaves the iteration unsealed', { timeout: 60_000 }, async () => {
    const { engine, hold, release } = gated();
    const on = await server.bench({ engine: engine });
    await on.during(async () => {
      hold();
      const handle = await startRun(on, 'stopped', smallRun());
      await until(handle, (progress) => progress.iteration === 0);
      await handle.executeUpdate('stop', { args: [{}] });
      release();
      expect(await handle.result()).toMatchObject({ status: 'stopped', records: [] });
    });
    expect(await documentOf(on, 'stopped')).toMatchObject({ status: 'stopped', iterations: [], ledgerDigest: null });
  });

  it('stops at once with now: true, though the engine never answers', { timeout: 60_000 }, async () => {
    const { engine, hold } = gated();
    const on = await server.bench({ engine: engine });
    await on.during(async () => {
      hold();
      const handle = await startRun(on, 'stopped-now', smallRun());
      await until(handle, (progress) => progress.iteration === 0);
      await handle.executeUpdate('stop', { args: [{ now: true }] });
      expect(await handle.result()).toMatchObject({ status: 'stopped' });
    });
  });

  it('is cancelled by Temporal and says so in its document', { timeout: 60_000 }, async () => {
    const { engine, hold } = gated();
    const on = await server.bench({ engine: engine });
    await on.during(async () => {
      hold();
      const handle = await startRun(on, 'cancelled', smallRun());
      await until(handle, (progress) => progress.iteration === 0);
      await handle.cancel();
      await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
    });
    expect((await documentOf(on, 'cancelled')).status).toBe('cancelled');
  });

  it(
    'waits when an iteration fails, and a retry with changed options goes on; they stand in its record',
    { timeout: 120_000 },
    async () => {
      const inner = scriptedAdder();
      let broken = true;
      const engine: Engine = {
        ...inner,
        train: (request, control) => {
          if (broken && request.start.kind === 'checkpoint')
            return Promise.reject(new EngineError('TrainingDiverged', 'the loss is not finite'));
          return inner.train(request, control);
        },
      };
      const on = await server.bench({ engine });
      await on.during(async () => {
        const handle = await startRun(on, 'waits', smallRun({ iterations: 1 }));
        const waiting = await until(handle, (progress) => progress.status === 'waiting');
        expect(waiting.reason).toMatch(/iteration 1 failed: TrainingDiverged/);
        await statusBecomes(on, 'waits', 'waiting');
        const retry = (set: object) => handle.executeUpdate('retryIteration', { args: [{ set }] });
        await expect(retry({ 'stages.next.with.learningRat': 1 })).rejects.toMatchObject({
          cause: { message: expect.stringContaining('did you mean stages.next.with.learningRate') as string },
        });
        await expect(retry({ 'stages.next.with.learningRate': -1 })).rejects.toThrow();
        await expect(retry({ 'stages.next.with.adapter': { rank: 0, alpha: 8 } })).rejects.toMatchObject({
          cause: { message: expect.stringContaining('set.stages.next.with.adapter.rank') as string },
        });
        broken = false;
        await retry({ 'stages.next.with.learningRate': 0.001 });
        expect(await handle.result()).toMatchObject({ status: 'done' });
      });
      const document = await documentOf(on, 'waits');
      expect(document.iterations[1]).toMatchObject({ attempt: 2, changed: { 'stages.next.with.learningRate': 0.001 } });
      expect(
        document.iterations[1]?.shards.reused,
        'what was done before the failure is not done again',
      ).toBeGreaterThan(5);
    },
  );

  it('fails at once with onFailure: fail, and can be abandoned while it waits', { timeout: 60_000 }, async () => {
    const inner = scriptedAdder();
    const engine: Engine = {
      ...inner,
      train: () => Promise.reject(new EngineError('TrainingDiverged', 'the loss is not finite')),
    };
    const on = await server.bench({ engine: engine });
    await on.during(async () => {
      const failing = await startRun(on, 'fails', smallRun({ onFailure: 'fail' }));
      await expect(failing.result()).rejects.toThrow(WorkflowFailedError);
      expect((await documentOf(on, 'fails')).reason).toContain('TrainingDiverged');
      const waiting = await startRun(on, 'abandoned', smallRun());
      await until(waiting, (progress) => progress.status === 'waiting');
      const adapter = { 'stages.base.with.adapter': { rank: 4, alpha: 8 } };
      await expect(
        waiting.executeUpdate('retryIteration', { args: [{ set: adapter }] }),
        'the base is trained whole, in a retry as in a new run',
      ).rejects.toMatchObject({ cause: { message: expect.stringContaining("rests on the run's base") as string } });
      await waiting.executeUpdate('abandon');
      expect(await waiting.result()).toMatchObject({ status: 'failed' });
      await expect(waiting.executeUpdate('abandon')).rejects.toThrow();
    });
  });

  it(
    'a run over several links of continue-as-new keeps its table; every history replays',
    { timeout: 180_000 },
    async () => {
      const on = await server.bench();
      await on.during(async () => {
        const handle = await startRun(
          on,
          'links',
          smallRun({ iterations: 10, set: { ...smallRun().set, 'stop.patience': 20 } }),
        );
        const first = (await handle.describe()).runId;
        expect(await handle.result()).toMatchObject({ status: 'done' });
        const last = server.env.client.workflow.getHandle('links');
        expect((await last.describe()).runId, 'there was a second link').not.toBe(first);
      });
      expect((await documentOf(on, 'links')).iterations).toHaveLength(11);
      const { code } = await workflowBundle();
      for (const id of ['links', 'links/iteration-000', 'links/iteration-003']) {
        const history = await server.env.client.workflow.getHandle(id).fetchHistory();
        await Worker.runReplayHistory({ workflowBundle: { code } }, history, id);
      }
    },
  );
});
