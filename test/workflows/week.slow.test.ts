/**
 * A week of nights on a real server's schedule: promotions, one failed night, one that overlaps and is skipped, one roll-back,
 * all visible and right in `models list` and in the schedule's description; people are told; the problems grow each day.
 *
 * The calendar is daily at 02:30 and the week a past one, which a backfill runs day by day: the server's own way to live
 * through days without waiting for them. (The time-skipping server knows no schedules.)
 */
import { appendFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { ScheduleOverlapPolicy } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listModels, rollbackModel } from '../../cli/models.ts';
import { createSchedule, listSchedules } from '../../cli/schedule.ts';
import { EngineError } from '../../engine/engine.ts';
import { currentModel } from '../../schemas/models.ts';
import type { NumberedEvent } from '../../schemas/models.ts';
import type { Notice } from '../../schemas/notice.ts';
import { RunDocument } from '../../schemas/run.ts';
import { readEvents } from '../../store/models.ts';
import { additionProblem } from '../../tasks/addition.ts';
import { isGate } from '../../tasks/gate.ts';
import { sideOf } from '../../tasks/source.ts';
import { skilledAdder } from '../support/skilled.ts';
import { createBench, smallRun, startServer } from '../support/temporal.ts';
import type { Bench } from '../support/temporal.ts';

const SCHEDULE = 'week';
const state = { tonight: 80, broken: false, held: undefined as Promise<void> | undefined };
const { engine, trainedOn } = skilledAdder(async (start) => {
  if (start === 'fresh') return 20;
  await state.held;
  if (state.broken) throw new EngineError('TrainingDiverged', 'the loss is not finite');
  return state.tonight;
});
const notices: Notice[] = [];
let env: TestWorkflowEnvironment;
let on: Bench;
beforeAll(async () => {
  env = await startServer();
  on = await createBench(env, { engine });
  mkdirSync(path.join(on.folder, 'inbox'));
  on.deps.dataRoots = { inbox: path.join(on.folder, 'inbox') };
  on.deps.notify = (notice) => {
    notices.push(notice);
    return Promise.resolve();
  };
}, 60_000);
afterAll(async () => {
  await on.close();
  await env.teardown();
});

/** Problems `from` to `to` of one fixed list come in as a file of their own. */
function come(day: string, from: number, to: number): void {
  const lines = Array.from({ length: to - from }, (_, i) => {
    const number = (7 * (from + i)) % 8100;
    return `${JSON.stringify(additionProblem(10 + (number % 90), 10 + Math.floor(number / 90), 2))}\n`;
  });
  appendFileSync(path.join(on.folder, 'inbox', `${day}.jsonl`), lines.join(''));
}
const dayOf = (n: number) => `2026-01-${String(4 + n).padStart(2, '0')}`; // 1 = Monday, the 5th
const schedule = () => env.client.schedule.getHandle(SCHEDULE);
const describeIt = async () => (await listSchedules(env.client)).find(({ scheduleId }) => scheduleId === SCHEDULE)!;
const begin = (n: number) =>
  schedule().backfill({
    start: new Date(`${dayOf(n)}T02:00:00Z`),
    end: new Date(`${dayOf(n)}T03:00:00Z`),
    overlap: ScheduleOverlapPolicy.SKIP,
  });
const nightOf = async (n: number) =>
  (await describeIt()).nights.find(({ scheduledAt }) => scheduledAt === `${dayOf(n)}T02:30:00.000Z`);
const ended = (n: number) =>
  expect.poll(async () => (await nightOf(n))?.status, { timeout: 120_000, interval: 500 }).toMatch(/completed|failed/);
const live = async (n: number) => {
  await begin(n);
  await ended(n);
};
const history = () => readEvents(on.store, 'addition');
const context = (documents: unknown[] = [], said: string[] = []) => ({
  home: on.folder,
  server: { mode: 'embedded' as const, namespace: 'default' },
  terminal: {
    json: documents.length === 0 && said.length === 0,
    live: false,
    say: (text: string) => void said.push(text),
    document: (value: unknown) => void documents.push(value),
    raw: (text: string) => void said.push(text),
    columns: () => 80,
  },
});

describe('a week of nights', () => {
  it('is lived through as it should be', { timeout: 600_000 }, async () => {
    await on.during(async () => {
      come('start', 0, 4000);
      await createSchedule(env.client, on.taskQueue, {
        id: SCHEDULE,
        at: '02:30',
        timeZone: 'UTC',
        jitter: '0s',
        overlap: 'skip',
        catchUp: '1h',
        pauseOnFailure: false,
        input: { run: smallRun({ iterations: 1, shardSize: 500, problems: { root: 'inbox', newShare: 0.5 } }) },
      });

      await live(1); // Monday: four in five instead of one in five
      come('tuesday', 4000, 4100);
      await live(2); // Tuesday: as good as Monday's
      come('wednesday', 4100, 4200);
      state.broken = true;
      await live(3); // Wednesday: the training diverges
      state.broken = false;

      come('thursday', 4200, 4300);
      state.tonight = 99;
      let release = (): void => undefined;
      state.held = new Promise((resolve) => (release = resolve));
      await begin(4); // Thursday is still at it …
      await expect.poll(async () => (await nightOf(4))?.status, { timeout: 60_000 }).toBe('running');
      await begin(5); // … when Friday would begin
      await expect.poll(async () => (await describeIt()).skippedForOverlap, { timeout: 60_000 }).toBe(1);
      state.held = undefined;
      release();
      await ended(4);

      expect(await rollbackModel(context(), 'addition', {})).toBe(0); // somebody does not trust it
      await live(6); // Saturday: as good as Thursday's, and better than Monday's, which stands again
      await live(7); // Sunday: as good as Saturday's
    });
  });

  it('stands in the history of models: promoted, kept, failed, promoted, rolled back, promoted, kept', async () => {
    const events = await history();
    expect(events.map(({ what, by }) => `${what} by ${by}`)).toEqual([
      'promoted by gate',
      'kept by gate',
      'failed by gate',
      'promoted by gate',
      'rolled-back by person',
      'promoted by gate',
      'kept by gate',
    ]);
    expect(events[4]).toMatchObject({ to: 1 });
    const runs = events.map((event) => ('entry' in event ? event.entry.run : 'run' in event ? event.run : null));
    const night = (n: number) => `${SCHEDULE}-${dayOf(n)}T023000Z-run`;
    expect(runs).toEqual([night(1), night(2), night(3), night(4), null, night(6), night(7)]);
    expect(currentModel(events)?.n).toBe(6);
    expect(events[3], 'the second look since Monday').toMatchObject({ gate: { look: 2 } });
    expect(events[5], 'a roll-back gives back no look').toMatchObject({ gate: { look: 1 } });
  });

  it('stands in `models list`, as JSON and as a table with the current one marked', async () => {
    const documents: unknown[] = [];
    await listModels({ ...context(), terminal: { ...context(documents).terminal, json: true } }, 'addition');
    const [[one]] = documents as [[{ task: string; current: NumberedEvent; history: NumberedEvent[] }]];
    expect(one).toMatchObject({ task: 'addition', current: { n: 6 } });
    expect(one.history).toHaveLength(7);
    const said: string[] = [];
    await listModels({ ...context(), terminal: { ...context([], said).terminal, json: false } }, 'addition');
    expect(said.join('')).toContain('6 *');
    for (const word of ['promoted', 'kept', 'failed', 'rolled-back', 'TrainingDiverged'])
      expect(said.join(''), word).toContain(word);
  });

  it('stands in the schedule’s description: six nights with what came of each, and the skipped one counted', async () => {
    const { nights, taken, skippedForOverlap, missed, paused } = await describeIt();
    const found = nights.map(({ scheduledAt, status, came }) => `${scheduledAt.slice(0, 10)} ${came ?? status}`);
    expect(found).toEqual([
      `${dayOf(1)} promoted`,
      `${dayOf(2)} kept`,
      `${dayOf(3)} failed`,
      `${dayOf(4)} promoted`,
      `${dayOf(6)} promoted`,
      `${dayOf(7)} kept`,
    ]);
    expect({ taken, skippedForOverlap, missed, paused }).toEqual({
      taken: 6,
      skippedForOverlap: 1,
      missed: 0,
      paused: false,
    });
  });

  it('was told: each promotion once, the failed night once, not again by its run', () => {
    expect(notices.map(({ what }) => what)).toEqual(['promoted', 'failed', 'promoted', 'promoted']);
    expect(notices[1]).toMatchObject({
      task: 'addition',
      run: `${SCHEDULE}-${dayOf(3)}T023000Z-run`,
      reason: expect.stringContaining('TrainingDiverged') as string,
    });
  });

  it('drew new problems first; a failed night left its new ones to the next', async () => {
    const document = async (n: number) =>
      RunDocument.parse(await on.store.getName(`runs/${SCHEDULE}-${dayOf(n)}T023000Z-run`));
    const fresh = async (n: number) => (await document(n)).resolved?.context.source?.fresh.rows;
    expect([await fresh(1), await fresh(2), await fresh(4), await fresh(6)]).toEqual([4000, 100, 200, 0]);
    const tuesday = (await document(2)).iterations[1];
    expect(tuesday?.drawnNew, 'half of the forty drawn').toBeGreaterThanOrEqual(20);
  });

  it('never trained on what the gate or dev or test ask', () => {
    const prompts = trainedOn.flatMap((data) =>
      data
        .trimEnd()
        .split('\n')
        .map((row) => (JSON.parse(row) as { prompt: string }).prompt),
    );
    const problems = prompts.map((prompt) => {
      const [, a = '', b = ''] = /^(\d+)\+(\d+)/.exec(prompt) ?? [];
      return additionProblem(Number(a), Number(b), a.length);
    });
    expect(problems.length).toBeGreaterThan(1000);
    expect(problems.filter((one) => isGate(one) || sideOf(one) !== 'train')).toEqual([]);
  });
});
