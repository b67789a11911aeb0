/** `schedule …` and `models …` as a person types them, against a real server and the store of real runs. */
import { fileURLToPath } from 'node:url';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { taskQueues } from '../../temporal.config.ts';
import { createBench, smallRun, startRun, startServer } from '../support/temporal.ts';
import type { Bench } from '../support/temporal.ts';
import { cleanUp, start } from './fixture/process.ts';

let env: TestWorkflowEnvironment;
let on: Bench;
beforeAll(async () => {
  env = await startServer();
  on = await createBench(env);
}, 60_000);
afterAll(async () => {
  await cleanUp();
  await on.close();
  await env.teardown();
});

interface Said {
  code: number | null;
  json: unknown;
  err: string;
}
async function startrail(...words: string[]): Promise<Said> {
  const program = start('../../../cli/main.ts', [...words, '--json'], {
    STARTRAIL_HOME: on.folder,
    STARTRAIL_ADDRESS: env.address,
  });
  const code = await program.exited;
  const out = program.out();
  return { code, json: out === '' ? null : JSON.parse(out), err: program.err() };
}
const refused = (code: string) => ({ code: 2, json: { error: { code } } });

interface Listed {
  scheduleId: string;
  paused: boolean;
  note: string | null;
  next: string;
  taken: number;
  nights: { scheduledAt: string; status: string; came: string | null }[];
}
const listed = async (): Promise<Listed[]> => {
  const { code, json } = await startrail('schedule', 'list');
  expect(code).toBe(0);
  return json as Listed[];
};

describe('schedule', () => {
  it(
    'create, list, pause, resume, trigger, backfill and delete do what they say, and each refuses a schedule there is none of',
    { timeout: 180_000 },
    async () => {
      const worker = await Worker.create({
        connection: env.nativeConnection,
        taskQueue: taskQueues.control,
        workflowsPath: fileURLToPath(new URL('fixture/nights.ts', import.meta.url)),
      });
      await worker.runUntil(async () => {
        const create = ['schedule', 'create', 'addition', '--at', '02:30', '--margin', '0.01'];
        const more = ['--problems', 'inbox', '--new-share', '0.3', '--set', 'stop.budget.tokens=1000000'];
        expect(await startrail(...create, ...more)).toMatchObject({
          code: 0,
          json: { scheduleId: 'nightly-addition' },
        });
        expect(await startrail(...create)).toMatchObject(refused('ScheduleExists'));
        expect(await startrail('schedule', 'create', 'addition', '--at', '25:00')).toMatchObject(
          refused('InvalidInput'),
        );
        const [one] = await listed();
        expect(one).toMatchObject({ scheduleId: 'nightly-addition', paused: false, taken: 0, nights: [] });
        expect(one?.next).toMatch(/T02:30:00\.000Z$/);
        const { action } = await env.client.schedule.getHandle('nightly-addition').describe();
        expect((action as { args?: unknown[] }).args).toEqual([
          {
            run: {
              recipe: 'star',
              task: 'addition',
              problems: { root: 'inbox', newShare: 0.3 },
              set: { 'stop.budget.tokens': 1000000 },
            },
            gate: { margin: 0.01 },
          },
        ]);

        const steer = (verb: string, ...words: string[]) => startrail('schedule', verb, 'nightly-addition', ...words);
        expect(await steer('pause', '--reason', 'holidays')).toMatchObject({ code: 0, json: { did: 'pause' } });
        expect((await listed())[0]).toMatchObject({ paused: true, note: 'holidays' });
        expect((await steer('resume')).code).toBe(0);
        expect((await listed())[0]).toMatchObject({ paused: false });

        expect((await steer('trigger')).code).toBe(0);
        const nights = async () => (await listed())[0]?.nights.map(({ status, came }) => came ?? status);
        await expect.poll(nights, { timeout: 30_000 }).toEqual(['kept']);

        const span = ['--from', '2026-01-01T00:00:00Z', '--to', '2026-01-04T00:00:00Z'];
        expect((await steer('backfill', ...span)).code).toBe(0);
        await expect.poll(nights, { timeout: 30_000 }).toEqual(['kept', 'kept', 'kept', 'kept']);
        const days = (await listed())[0]?.nights.slice(1).map(({ scheduledAt }) => scheduledAt);
        expect(days).toEqual(['01', '02', '03'].map((day) => `2026-01-${day}T02:30:00.000Z`));
        const wrong = ['--from', '2026-01-04T00:00:00Z', '--to', '2026-01-01T00:00:00Z'];
        expect(await steer('backfill', ...wrong)).toMatchObject(refused('InvalidInput'));

        expect((await steer('delete')).code).toBe(0);
        expect(await listed()).toEqual([]);
        for (const verb of ['trigger', 'pause', 'resume', 'delete'])
          expect(await steer(verb), verb).toMatchObject(refused('UnknownSchedule'));
        expect(await steer('backfill', ...span)).toMatchObject(refused('UnknownSchedule'));
      });
    },
  );
});

describe('models', () => {
  it(
    'promote moves the pointer to a run’s best or a named iteration, rollback moves it back, and the history holds both',
    { timeout: 180_000 },
    async () => {
      await on.during(async () => {
        for (const [id, seed] of [
          ['one', 1],
          ['two', 2],
        ] as const)
          await (await startRun(on, id, smallRun({ iterations: 1, shardSize: 200, seed }))).result();
      });
      const models = (...words: string[]) => startrail('models', ...words);
      expect(await models('rollback', 'addition')).toMatchObject(refused('NothingToRollBack'));
      expect(await models('promote', 'addition', '--run', 'one')).toMatchObject({
        code: 0,
        json: { task: 'addition', event: { n: 1, what: 'promoted', by: 'person' }, current: { entry: { run: 'one' } } },
      });
      expect(await models('promote', 'addition', '--run', 'one')).toMatchObject(refused('AlreadyCurrent'));
      const second = await models('promote', 'addition', '--run', 'two', '--iteration', '0');
      expect(second).toMatchObject({ code: 0, json: { current: { n: 2, entry: { run: 'two', iteration: 0 } } } });
      expect((await models('promote', 'addition', '--run', 'two', '--iteration', '1')).code).toBe(0);

      expect(await models('promote', 'addition', '--run', 'two', '--iteration', '7')).toMatchObject(
        refused('InvalidInput'),
      );
      expect(await models('promote', 'addition', '--run', 'tow')).toMatchObject(refused('UnknownRun'));
      expect(await models('promote', 'gsm8k', '--run', 'one')).toMatchObject(refused('InvalidInput'));
      expect(await models('rollback', 'addition', '--to', '3')).toMatchObject(refused('InvalidInput'));

      expect(await models('rollback', 'addition', '--to', '1')).toMatchObject({
        code: 0,
        json: { event: { n: 4, what: 'rolled-back', to: 1 }, current: { n: 1, entry: { run: 'one' } } },
      });
      expect(await models('rollback', 'addition')).toMatchObject({
        code: 0,
        json: { event: { to: null }, current: null },
      });
      const { code, json } = await models('list', 'addition');
      expect(code).toBe(0);
      expect(json).toMatchObject([{ task: 'addition', current: null }]);
      const [{ history }] = json as [{ history: { what: string }[] }];
      expect(history.map(({ what }) => what)).toEqual([
        ...['promoted', 'promoted', 'promoted'],
        ...['rolled-back', 'rolled-back'],
      ]);
    },
  );
});
