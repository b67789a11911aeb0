/**
 * What `pause`, `resume`, `stop`, `retry`, `abandon` share: one update, and an answer that says what came of it.
 *
 * With a living owner its server and worker take the update. Without one both are started for as long as it takes: an
 * update that nobody handles would be a promise.
 */
import { WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import type { Client } from '@temporalio/client';
import { existsSync } from 'node:fs';
import { isFinal, Progress, QUERIES, UPDATES } from '../schemas/run.ts';
import type { RunStatus } from '../schemas/run.ts';
import { readRun, runIds, unknownRun, withStatus, writeRun } from './document.ts';
import { CliError, EXIT } from './exit.ts';
import { homePaths } from './home.ts';
import { emptyMemory, look } from './look.ts';
import { openStore, readStore, reattach, session as newSession } from './parts.ts';
import type { Context } from './parts.ts';
import { pause } from './session.ts';
import type { Session } from './session.ts';

export interface Steering {
  update: keyof typeof UPDATES;
  argument?: unknown;
  /** The run has come to this; until then the command waits for a while. */
  reached: (status: RunStatus) => boolean;
  /** When it is reached, and when it is only under way. */
  said: { reached: string; underWay: string };
  /** A run whose code can't take an update is terminated instead. */
  terminateIfStuck?: boolean;
}

const WAIT = { workerMs: 60_000, updateMs: 30_000, ownMs: 60_000, attachedMs: 5_000, lookMs: 250 };

async function statusOf(client: Client, runId: string): Promise<RunStatus | null> {
  const handle = client.workflow.getHandle(runId);
  const { status } = await handle.describe();
  const closed = {
    COMPLETED: 'done',
    FAILED: 'failed',
    TIMED_OUT: 'failed',
    CANCELLED: 'cancelled',
    TERMINATED: 'terminated',
  };
  if (status.name in closed) return closed[status.name as keyof typeof closed] as RunStatus;
  return Progress.parse(await handle.query(QUERIES.progress)).status;
}

export async function steer(context: Context, runId: string, steering: Steering): Promise<number> {
  const store = await readStore(context.home);
  const document = store ? await readRun(store, runId) : undefined;
  const known = store ? await runIds(store) : [];
  if (document && isFinal(document.status)) throw hasEnded(runId, document.status);
  if (!document && context.server.mode === 'embedded' && !existsSync(homePaths(context.home).database))
    throw unknownRun(runId, known);
  const session = await newSession(context, steering.update);
  try {
    const { workflow } = session.client;
    const { status } = await workflow.getHandle(runId).describe();
    if (status.name !== 'RUNNING') throw hasEnded(runId, status.name.toLowerCase());
    return await send(context, session, runId, steering);
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) throw unknownRun(runId, known);
    throw error;
  } finally {
    await session.close();
  }
}

const hasEnded = (runId: string, status: string) =>
  new CliError(EXIT.input, 'RunEnded', `run ${runId} has ended (${status}); there is nothing to do`, { status });

/** The run has taken the update when it resolves. Throws Refused (2), NoAnswer (3), WorkflowNotFoundError. */
export async function sendUpdate(
  session: Session,
  runId: string,
  update: Steering['update'],
  argument?: unknown,
): Promise<void> {
  const handle = session.client.workflow.getHandle(runId);
  try {
    const args = argument === undefined ? [] : [argument];
    await session.connection.withDeadline(Date.now() + WAIT.updateMs, () =>
      handle.executeUpdate(UPDATES[update], { args: args as [] }),
    );
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError)
      throw new CliError(
        EXIT.input,
        'Refused',
        `run ${runId} refused ${update}: ${error.cause?.message ?? error.message}`,
      );
    if (error instanceof WorkflowNotFoundError) throw error;
    throw new CliError(
      EXIT.unreachable,
      'NoAnswer',
      `run ${runId} did not answer within ${WAIT.updateMs / 1_000} s (${error instanceof Error ? error.message : String(error)}): \`${reattach(runId)}\` shows how it is`,
    );
  }
}

async function send(context: Context, session: Session, runId: string, steering: Steering): Promise<number> {
  const { terminal } = context;
  const handle = session.client.workflow.getHandle(runId);
  const answer = (status: string, text: string) => {
    terminal.say(`run ${runId}: ${text}`);
    if (terminal.json) terminal.document({ runId, status, did: steering.update });
    return EXIT.ok;
  };
  for (const until = performance.now() + WAIT.workerMs; !session.workerReady() && performance.now() < until;)
    await pause(100);

  if (steering.terminateIfStuck) {
    const seen = await look(session.connection, session.client, runId, emptyMemory(), false);
    if (seen.stuck !== null) {
      await handle.terminate('stop --now: its code could not take an orderly stop');
      const store = await openStore(context.home);
      const document = await readRun(store, runId);
      if (document) await writeRun(store, withStatus(document, 'terminated', seen.stuck));
      return answer('terminated', `terminated; its code could not take an orderly stop (${seen.stuck})`);
    }
  }
  await sendUpdate(session, runId, steering.update, steering.argument);
  const patience = session.mode === 'owner' ? WAIT.ownMs : WAIT.attachedMs;
  let status: RunStatus | null = null;
  for (const until = performance.now() + patience; performance.now() < until; await pause(WAIT.lookMs)) {
    status = await statusOf(session.client, runId).catch(() => status);
    if (status !== null && steering.reached(status)) return answer(status, steering.said.reached);
  }
  return answer(status ?? 'running', steering.said.underWay);
}
