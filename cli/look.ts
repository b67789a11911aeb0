/**
 * One look at a run through Temporal: is it open, how far is it, what happens right now, does its code keep failing?
 *
 * Looking costs the run next to nothing: `describe` touches no worker, and the queries (which do) are asked only when the
 * history has grown since the last look.
 */
import type { Client, Connection, WorkflowExecutionDescription } from '@temporalio/client';
import {
  decodeArrayFromPayloads,
  decodeOptionalFailureToOptionalError,
} from '@temporalio/common/lib/internal-non-workflow/index.js';
import { ApplicationFailure } from '@temporalio/common';
import { codecFailure } from '../connection/failure.ts';
import { FAILURES } from '../schemas/failure.ts';
import { IterationProgress, Progress, QUERIES } from '../schemas/run.ts';

/** What an activity said with its last heartbeat. */
export interface Live {
  stage: string;
  shard: number;
  done: number;
  total: number;
  tokensPerSecond: number;
  attempt: number;
}

export interface Look {
  /** Temporal's word: RUNNING, COMPLETED, FAILED, CANCELLED, TERMINATED, TIMED_OUT. */
  workflow: string;
  progress: Progress | null;
  stages: IterationProgress | null;
  live: Live[];
  /** Stages that are being retried, with the last failure. */
  retries: { stage: string; attempt: number; message: string }[];
  /** A workflow task that keeps failing: the run looks alive and goes nowhere. */
  stuck: string | null;
}

/** What is kept between looks. */
export interface Memory {
  progress: Progress | null;
  stages: IterationProgress | null;
  runSeen: string;
  childSeen: string;
}
export const emptyMemory = (): Memory => ({ progress: null, stages: null, runSeen: '', childSeen: '' });

const QUERY_MS = 3_000;
const DESCRIBE_MS = 4_000;

export async function look(
  connection: Connection,
  client: Client,
  runId: string,
  memory: Memory,
  canQuery: boolean,
): Promise<Look> {
  const describe = (id: string) =>
    connection.withDeadline(Date.now() + DESCRIBE_MS, () => client.workflow.getHandle(id).describe());
  const ask = async (id: string, execution: WorkflowExecutionDescription, seen: string) => {
    const now = `${execution.runId} ${execution.historyLength}`;
    if (!canQuery || now === seen) return undefined;
    try {
      const answer = await connection.withDeadline(Date.now() + QUERY_MS, () =>
        client.workflow.getHandle(id).query<unknown>(QUERIES.progress),
      );
      return { now, answer };
    } catch (error) {
      // What no key here opens will not open at the next look either.
      if (codecFailure(error)) throw error;
      // No worker at the moment, or its code fails: `stuck` tells. The next look asks again.
      return undefined;
    }
  };

  const run = await describe(runId);
  const told = await ask(runId, run, memory.runSeen);
  const progress = Progress.safeParse(told?.answer);
  if (told) {
    memory.runSeen = told.now;
    if (progress.success) memory.progress = progress.data;
  }
  const foreign =
    told && !progress.success ? 'it was started by another version, whose progress this one cannot read' : null;
  const result: Look = {
    workflow: run.status.name,
    progress: memory.progress,
    stages: null,
    ...(await activities(client, run)),
    stuck: (await stuckReason(connection, client, run)) ?? foreign,
  };
  // A run that nobody can ask (its worker lacks the key) still shows its children to the server.
  const child = memory.progress?.child ?? run.raw.pendingChildren?.[0]?.workflowId ?? null;
  if (child === null || run.status.name !== 'RUNNING') return result;
  try {
    const execution = await describe(child);
    const said = await ask(child, execution, memory.childSeen);
    const stages = IterationProgress.safeParse(said?.answer);
    if (said && stages.success) {
      memory.stages = stages.data;
      memory.childSeen = said.now;
    }
    result.stages = memory.stages;
    const inside = await activities(client, execution);
    result.live.push(...inside.live);
    result.retries.push(...inside.retries);
    result.stuck ??= await stuckReason(connection, client, execution);
  } catch (error) {
    if (codecFailure(error)) throw error;
    // The child is not there yet, or just gone.
  }
  return result;
}

/** Heartbeats and failures stand in what the server describes as they were sent: encrypted, where there are keys. */
async function activities(
  client: Client,
  execution: WorkflowExecutionDescription,
): Promise<Pick<Look, 'live' | 'retries'>> {
  const converter = client.options.loadedDataConverter;
  const live: Live[] = [];
  const retries: Look['retries'] = [];
  for (const activity of execution.raw.pendingActivities ?? []) {
    const attempt = activity.attempt ?? 1;
    const stage = activity.activityType?.name ?? '?';
    if (attempt > 1 && activity.lastFailure)
      retries.push({ stage, attempt, message: await messageOf(client, activity.lastFailure) });
    const payloads = activity.heartbeatDetails?.payloads;
    const [heartbeat] = await decodeArrayFromPayloads(converter, payloads).catch(() => []);
    if (heartbeat === undefined) continue;
    const details = (heartbeat ?? {}) as Partial<Live>;
    live.push({
      stage: String(details.stage ?? stage),
      shard: Number(details.shard ?? 0),
      done: Number(details.done ?? 0),
      total: Number(details.total ?? 0),
      tokensPerSecond: Number(details.tokensPerSecond ?? 0),
      attempt,
    });
  }
  return { live, retries };
}

type Failure = Parameters<typeof decodeOptionalFailureToOptionalError>[1];
const messageOf = async (client: Client, failure: Failure): Promise<string> => {
  const error = await decodeOptionalFailureToOptionalError(client.options.loadedDataConverter, failure).catch(
    (unread: unknown) => unread as Error, // a worker with other keys wrote it: that is what there is to know
  );
  const type = error instanceof ApplicationFailure ? error.type : undefined;
  const message = error?.message ?? 'no message';
  // An error that nobody foresaw has its class for a type, which says nothing to people.
  return type && Object.hasOwn(FAILURES, type) && !message.startsWith(type) ? `${type}: ${message}` : message;
};

/**
 * Causes that are part of good order: news came while the workflow was closing, the task was moved, or the run was reset or
 * paused (1 unhandled command, 13 sticky queue, 17 and 18 forced close, 20 reset, 31 unhandled update, 39 pause).
 */
const HARMLESS = [1, 13, 17, 18, 20, 31, 39];

/**
 * Temporal retries a workflow task without end when the workflow's code throws, is not there, or does not fit the history.
 * Only the first failure of a series is written down; the SDK lets the later attempts time out, each after ten seconds, so
 * the second attempt is the one to speak at. A task that merely timed out (a killed worker) is no failure.
 */
async function stuckReason(
  connection: Connection,
  client: Client,
  execution: WorkflowExecutionDescription,
): Promise<string | null> {
  if ((execution.raw.pendingWorkflowTask?.attempt ?? 0) < 2) return null;
  const { history } = await connection.workflowService.getWorkflowExecutionHistoryReverse({
    namespace: client.options.namespace,
    execution: { workflowId: execution.workflowId, runId: execution.runId },
    maximumPageSize: 10,
  });
  for (const event of history?.events ?? []) {
    const failed = event.workflowTaskFailedEventAttributes;
    if (failed)
      return HARMLESS.includes(failed.cause ?? 0)
        ? null
        : `${await messageOf(client, failed.failure)} (workflow ${execution.workflowId})`;
    if (event.workflowTaskCompletedEventAttributes) return null;
  }
  return null;
}
