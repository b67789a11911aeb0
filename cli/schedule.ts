/**
 * `schedule create|list|trigger|pause|resume|backfill|delete`: nightly retraining on Temporal's own schedules.
 *
 *   schedule create addition --at 02:30 --time-zone Europe/Berlin --jitter 5m --margin 0.01
 *   schedule list                     nights with what came of them, those that were skipped or missed counted
 *
 * Limits: a schedule lives on the server; with an embedded one it fires only while `startrail up` runs, and what falls
 * into a pause longer than --catch-up is missed (and counted).
 */
import type { Client, ScheduleDescription, ScheduleOverlapPolicy } from '@temporalio/client';
import { NIGHTLY, NightlyInput, NightResult } from '../schemas/nightly.ts';
import { CliError, EXIT } from './exit.ts';
import { session as newSession } from './parts.ts';
import type { Context } from './parts.ts';

export interface ScheduleSpec {
  id: string;
  input: unknown;
  /** Hour and minute of each day, "02:30"; or a calendar of Temporal's, e.g. {"hour":2,"dayOfWeek":"SUNDAY"}. */
  at?: string;
  calendar?: object;
  timeZone: string;
  jitter: string;
  overlap: string;
  catchUp: string;
  pauseOnFailure: boolean;
}

export const OVERLAPS = ['skip', 'buffer-one', 'buffer-all', 'cancel-other', 'terminate-other', 'allow-all'];
const overlapOf = (text: string) => text.toUpperCase().replace('-', '_') as ScheduleOverlapPolicy;
const bad = (message: string) => new CliError(EXIT.input, 'InvalidInput', message);

function calendarOf({ at, calendar }: ScheduleSpec): object {
  if (calendar) return calendar;
  const [, hour, minute] = /^([01]?\d|2[0-3]):([0-5]\d)$/.exec(at ?? '') ?? [];
  if (hour === undefined) throw bad(`--at: found "${at ?? ''}"; expected a time of day such as 02:30, or --calendar`);
  return { hour: Number(hour), minute: Number(minute) };
}

/** Throws InvalidInput (exit 2) for what can't be scheduled, ScheduleExists for an id that is taken. */
export async function createSchedule(client: Client, taskQueue: string, spec: ScheduleSpec): Promise<void> {
  const parsed = NightlyInput.safeParse(spec.input);
  if (!parsed.success)
    throw bad(parsed.error.issues.map((issue) => `${issue.path.join('.') || '(input)'}: ${issue.message}`).join('; '));
  const { ScheduleAlreadyRunning } = await import('@temporalio/client');
  try {
    await client.schedule.create({
      scheduleId: spec.id,
      spec: { calendars: [calendarOf(spec)], timezone: spec.timeZone, jitter: spec.jitter as never },
      action: { type: 'startWorkflow', workflowType: NIGHTLY, taskQueue, workflowId: spec.id, args: [spec.input] },
      policies: {
        overlap: overlapOf(spec.overlap),
        catchupWindow: spec.catchUp as never,
        pauseOnFailure: spec.pauseOnFailure,
      },
    });
  } catch (error) {
    // What the client's own reading of calendars and spans refuses.
    if (error instanceof TypeError || error instanceof RangeError) throw bad(error.message);
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    throw new CliError(
      EXIT.input,
      'ScheduleExists',
      `there is a schedule ${spec.id} already: \`./bin/startrail schedule delete ${spec.id}\` first, or choose another --id`,
    );
  }
}

/** What came of a night that completed: promoted or kept. */
const cameOf = (result: unknown) => NightResult.safeParse(result).data?.what ?? null;

/** A schedule with its last nights, as `schedule list` shows it. */
export async function scheduleJson(client: Client, description: ScheduleDescription) {
  const { scheduleId, info, state } = description;
  const nights = [];
  for (const { scheduledAt, action } of info.recentActions) {
    const { workflowId } = action.workflow;
    const handle = client.workflow.getHandle(workflowId, action.workflow.firstExecutionRunId);
    const status = await handle.describe().then(
      (one) => one.status.name.toLowerCase(),
      () => 'forgotten by the server',
    );
    const came = status === 'completed' ? await handle.result().then(cameOf, () => null) : null;
    nights.push({ workflowId, scheduledAt: scheduledAt.toISOString(), status, came });
  }
  return {
    scheduleId,
    paused: state.paused,
    note: state.note ?? null,
    next: info.nextActionTimes[0]?.toISOString() ?? null,
    taken: info.numActionsTaken,
    skippedForOverlap: info.numActionsSkippedOverlap,
    missed: info.numActionsMissedCatchupWindow,
    nights,
  };
}

/** All schedules that start nights. */
export async function listSchedules(client: Client) {
  const all = [];
  for await (const { scheduleId } of client.schedule.list()) {
    const description = await client.schedule.getHandle(scheduleId).describe();
    if (description.action.type === 'startWorkflow' && description.action.workflowType === NIGHTLY)
      all.push(await scheduleJson(client, description));
  }
  return all;
}

async function withClient(context: Context, act: (client: Client) => Promise<unknown>): Promise<number> {
  const session = await newSession(context, 'schedule');
  try {
    const document = await act(session.client);
    if (context.terminal.json) context.terminal.document(document);
    return EXIT.ok;
  } catch (error) {
    const { ScheduleNotFoundError } = await import('@temporalio/client');
    if (!(error instanceof ScheduleNotFoundError)) throw error;
    throw new CliError(
      EXIT.input,
      'UnknownSchedule',
      `there is no schedule ${error.scheduleId}; \`./bin/startrail schedule list\` shows them all`,
    );
  } finally {
    await session.close();
  }
}

export const create = (context: Context, taskQueue: string, spec: ScheduleSpec) =>
  withClient(context, async (client) => {
    await createSchedule(client, taskQueue, spec);
    context.terminal.say(`schedule ${spec.id} created; \`./bin/startrail schedule list\` shows its next night`);
    return { scheduleId: spec.id };
  });

export const list = (context: Context) =>
  withClient(context, async (client) => {
    const all = await listSchedules(client);
    if (all.length === 0) context.terminal.say('no schedules yet; `./bin/startrail schedule create <task> --at 02:30`');
    for (const one of all) {
      context.terminal.say(
        `${one.scheduleId}: ${one.paused ? `paused (${one.note ?? 'no reason given'})` : `next ${one.next ?? 'never'}`} · ${one.taken} started, ${one.skippedForOverlap} skipped, ${one.missed} missed`,
      );
      for (const night of one.nights)
        context.terminal.say(`  ${night.scheduledAt}  ${night.came ?? night.status}  ${night.workflowId}`);
    }
    return all;
  });

export type Steer = 'trigger' | 'pause' | 'resume' | 'delete';
export const steerSchedule = (context: Context, scheduleId: string, what: Steer, reason?: string) =>
  withClient(context, async (client) => {
    const handle = client.schedule.getHandle(scheduleId);
    if (what === 'trigger') await handle.trigger();
    else if (what === 'pause') await handle.pause(reason ?? 'paused by hand');
    else if (what === 'resume') await handle.unpause(reason);
    else await handle.delete();
    context.terminal.say(`schedule ${scheduleId}: ${what} done`);
    return { scheduleId, did: what };
  });

export const backfill = (context: Context, scheduleId: string, from: string, to: string) =>
  withClient(context, async (client) => {
    const [start, end] = [new Date(from), new Date(to)];
    if (!(start < end)) throw bad(`--from ${from} --to ${to}: expected two ISO times, the first before the second`);
    await client.schedule.getHandle(scheduleId).backfill({ start, end, overlap: overlapOf('buffer-all') });
    context.terminal.say(`schedule ${scheduleId}: its nights from ${from} to ${to} are run one after the other`);
    return { scheduleId, did: 'backfill', from, to };
  });
