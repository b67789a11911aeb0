/** A night, on a real server with the scripted engine: promoted, kept, failed; each stands in the task's history. */
import { WorkflowFailedError } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EngineError } from '../../engine/engine.ts';
import { createSchedule, listSchedules } from '../../cli/schedule.ts';
import { currentModel } from '../../schemas/models.ts';
import { RunDocument } from '../../schemas/run.ts';
import { readEvents } from '../../store/models.ts';
import { additionProblem } from '../../tasks/addition.ts';
import { isGate } from '../../tasks/gate.ts';
import { skilledAdder } from '../support/skilled.ts';
import { createBench, smallRun, startServer } from '../support/temporal.ts';
import type { Bench } from '../support/temporal.ts';

let env: TestWorkflowEnvironment;
let on: Bench;
const state = { base: 20, tonight: 80, broken: false };
const { engine, trainedOn } = skilledAdder((start) => {
  if (state.broken && start === 'checkpoint') throw new EngineError('TrainingDiverged', 'the loss is not finite');
  return start === 'fresh' ? state.base : state.tonight;
});
beforeAll(async () => {
  env = await startServer();
  on = await createBench(env, { engine });
}, 60_000);
afterAll(async () => {
  await on.close();
  await env.teardown();
});
const night = (workflowId: string, seed: number) =>
  env.client.workflow.execute('nightly', {
    workflowId,
    taskQueue: on.taskQueue,
    args: [{ run: smallRun({ iterations: 1, seed, onFailure: 'wait' }) }],
  });
const history = () => readEvents(on.store, 'addition');

describe('nights', () => {
  it(
    'promote what is better, keep the pointer where it is not, and a failed one stands in the history',
    { timeout: 180_000 },
    async () => {
      await on.during(async () => {
        expect(await night('night-2026-01-01T02:00:00Z', 1)).toMatchObject({ what: 'promoted', event: 1 });
        const first = currentModel(await history());
        expect(first).toMatchObject({ by: 'gate', gate: { look: 1, promote: true }, entry: { iteration: 1 } });
        expect(first?.entry.run).toBe('night-2026-01-01T020000Z-run');

        expect(await night('night-2', 2), 'equal models').toMatchObject({ what: 'kept', event: 2 });
        state.broken = true;
        await expect(night('night-3', 3)).rejects.toThrow(WorkflowFailedError);
        state.broken = false;
        expect((await history())[2]).toMatchObject({
          what: 'failed',
          run: 'night-3-run',
          reason: expect.stringContaining('TrainingDiverged') as string,
        });
        expect(currentModel(await history())?.n, 'neither moved the pointer').toBe(1);
        const failed = RunDocument.parse(await on.store.getName('runs/night-3-run'));
        expect(failed, 'a night does not wait, whatever its run asks for').toMatchObject({
          status: 'failed',
          resolved: { onFailure: 'fail' },
        });

        state.tonight = 99;
        expect(await night('night-4', 4)).toMatchObject({ what: 'promoted', event: 4 });
        const current = currentModel(await history());
        expect(current?.gate?.look, 'a failed night is no look').toBe(2);
        const document = RunDocument.parse(await on.store.getName('runs/night-4-run'));
        const best = document.iterations.find(({ n }) => n === document.best?.n);
        expect(current?.entry).toMatchObject({ run: document.runId, model: best?.model, seed: 4 });
      });
    },
  );

  it(
    'are started by a schedule: one at a time, what failed and what comes next stand in its list, ids are refused twice',
    { timeout: 120_000 },
    async () => {
      await on.during(async () => {
        const spec = {
          id: 'nightly-addition',
          at: '02:30',
          timeZone: 'Europe/Berlin',
          jitter: '5m',
          overlap: 'skip',
          catchUp: '1h',
          pauseOnFailure: true,
        };
        const { client } = env;
        const run = smallRun({ iterations: 1 });
        const create = (input: unknown, more: object = {}) =>
          createSchedule(client, on.taskQueue, { ...spec, ...more, input });
        await expect(create({ run: { ...run, iterations: -1 } })).rejects.toThrow(/run\.iterations/);
        await expect(create({ run }, { calendar: { hour: 25 } })).rejects.toMatchObject({ code: 'InvalidInput' });
        await create({ run });
        await expect(create({ run })).rejects.toMatchObject({ code: 'ScheduleExists' });
        const seen = async (id: string) => (await listSchedules(client)).find((one) => one.scheduleId === id);
        expect((await seen(spec.id))?.next).toMatch(/T0[01]:3\d/); // 02:30 in Berlin, as UTC
        await client.schedule.getHandle(spec.id).delete();

        state.broken = true;
        const id = 'every-two-seconds';
        await create(
          { run },
          {
            id,
            at: undefined,
            jitter: '0s',
            calendar: { hour: '*', minute: '*', second: { start: 0, end: 59, step: 2 } },
          },
        );
        await expect.poll(async () => (await seen(id))?.paused, { timeout: 60_000 }).toBe(true);
        state.broken = false;
        const now = await seen(id);
        expect(now?.nights.map(({ status }) => status)).toEqual(['failed']);
        expect(now?.skippedForOverlap, 'nights that fell into the first').toBeGreaterThan(0);
        expect((await history()).at(-1)).toMatchObject({
          what: 'failed',
          run: expect.stringMatching(/^every-two/) as string,
        });
        await client.schedule.getHandle(id).delete();
      });
    },
  );

  it('never train on what the gate asks: no row of any training holds one of its identities', () => {
    const rows = trainedOn.flatMap((data) => data.trimEnd().split('\n'));
    const problems = rows.map((row) => {
      const [, a = '', b = ''] = /^(\d+)\+(\d+)/.exec((JSON.parse(row) as { prompt: string }).prompt) ?? [];
      return additionProblem(Number(a), Number(b), a.length);
    });
    expect(problems.length).toBeGreaterThan(500);
    expect(problems.filter(isGate)).toEqual([]);
  });
});
