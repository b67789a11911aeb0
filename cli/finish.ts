/** From "there is a run" to the exit code: follow it, then table, report, document. Shared by `run` and `watch`. */
import { isFinal } from '../schemas/run.ts';
import path from 'node:path';
import { runTable } from '../report/table.ts';
import type { RunDocument, RunInput } from '../schemas/run.ts';
import type { Store } from '../store/store.ts';
import { taskQueues } from '../temporal.config.ts';
import { contractJson, emptyDocument, readRun, withStatus, writeRun } from './document.ts';
import { asCliError, CliError, EXIT, exitOfStatus } from './exit.ts';
import { Detached, follow } from './follow.ts';
import type { Followed } from './follow.ts';
import { homePaths } from './home.ts';
import type { Leaving } from './leave.ts';
import { openStore, reattach, session as newSession } from './parts.ts';
import type { Context } from './parts.ts';
import type { Session } from './session.ts';
import type { Terminal } from './terminal.ts';
import { openView } from './view.ts';

interface Report {
  html: string;
  markdown: string;
}

/** A run that was followed to where it ended or waits. */
export interface Ended {
  store: Store;
  document: RunDocument;
  failure: Followed['failure'];
}

/**
 * Follows the run in a session that stays open; `held.session` is the one in use afterwards, also when it throws: Detached,
 * InvalidInput (exit 2) where the run was started here, and what `follow` throws.
 */
export async function followRun(
  context: Context,
  held: { session: Session },
  runId: string,
  verb: string,
  leaving: Leaving,
  input: RunInput | undefined,
): Promise<Ended> {
  const { terminal } = context;
  const view = openView(terminal);
  const options = {
    runId,
    session: held.session,
    renew: () => newSession(context, verb),
    view,
    untilWaiting: !terminal.live,
    signal: leaving.signal,
  };
  try {
    if (held.session.mode === 'remote') await warnWithoutWorker(held.session, terminal);
    const followed = await follow(options);
    const store = await openStore(context.home);
    const document = await lastDocument(store, runId, followed, input);
    if (verb !== 'watch' && followed.failure?.code === 'InvalidInput')
      throw new CliError(EXIT.input, 'InvalidInput', followed.failure.message, followed.failure.details);
    return { store, document, failure: followed.failure };
  } finally {
    held.session = options.session;
    view.end();
  }
}

/** Follows the run and closes the session. */
export async function followToEnd(
  context: Context,
  session: Session,
  runId: string,
  verb: string,
  leaving: Leaving,
  input: RunInput | undefined,
): Promise<number> {
  const { terminal } = context;
  const held = { session };
  try {
    const { store, document, failure } = await followRun(context, held, runId, verb, leaving, input);
    await present(context, store, document, failure);
    return exitOfStatus(document.status);
  } catch (error) {
    if (!(error instanceof Detached)) throw asCliError(error);
    const rests = held.session.mode === 'owner';
    terminal.say(`detached; the run ${rests ? 'rests until' : 'goes on;'} ${reattach(runId)}`);
    if (terminal.json) {
      const document = await readRun(await openStore(context.home), runId);
      terminal.document(
        document ? contractJson(document) : { runId, workflowId: runId, status: 'running', iterations: [] },
      );
    }
    return EXIT.detached;
  } finally {
    await closeSession(terminal, held.session);
    leaving.done();
  }
}

export async function closeSession(terminal: Terminal, session: Session): Promise<void> {
  if (session.mode === 'owner') terminal.say('ending worker and server …');
  await session.close();
}

/** On a server of somebody else's the workers are somebody else's too; without one of a role a run waits in silence. */
async function warnWithoutWorker(session: Session, terminal: Terminal): Promise<void> {
  const polled = async ([role, queue]: [string, string]) => {
    const { pollers } = await session.connection.workflowService.describeTaskQueue({
      namespace: session.client.options.namespace,
      taskQueue: { name: queue },
      // TASK_QUEUE_TYPE_WORKFLOW, TASK_QUEUE_TYPE_ACTIVITY
      taskQueueType: role === 'control' ? 1 : 2,
    });
    return (pollers ?? []).length > 0 ? [] : [role];
  };
  const lacking = (await Promise.all(Object.entries(taskQueues).map(polled))).flat();
  if (lacking.length > 0)
    terminal.say(
      `no worker at ${session.address} takes the work of ${lacking.join(', ')}; start one: node scripts/start.mjs workers/main.ts --role ${lacking.join(',')} --address ${session.address}`,
    );
}

/** What the store says, put right where only the server knows the end (a terminated run cannot write it). */
async function lastDocument(
  store: Store,
  runId: string,
  followed: Followed,
  input: RunInput | undefined,
): Promise<RunDocument> {
  const reason = followed.failure
    ? `${followed.failure.code}: ${followed.failure.message}`
    : (followed.progress?.reason ?? null);
  const found = await readRun(store, runId);
  if (!found) {
    if (!input)
      throw new CliError(
        EXIT.unreachable,
        'RunDocumentMissing',
        `the store ${store.location} has no document of run ${runId}`,
      );
    return emptyDocument(runId, input, followed.status, reason);
  }
  // A run that completed says itself whether it was done or stopped.
  if (followed.status === 'done' && isFinal(found.status)) return found;
  const document = withStatus(found, followed.status, reason);
  if (document !== found && isFinal(followed.status)) await writeRun(store, document);
  return document;
}

/** Table and report, and the one JSON document. */
export async function present(
  context: Context,
  store: Store,
  document: RunDocument,
  failure: Followed['failure'],
): Promise<void> {
  const report = await showEnd(context, store, document);
  if (context.terminal.json) context.terminal.document({ ...contractJson(document), failure, report });
}

/** What people are told of a run that was followed; returns where its report lies. */
export async function showEnd(context: Context, store: Store, document: RunDocument): Promise<Report | null> {
  const { terminal } = context;
  let report: Report | null = null;
  if (document.iterations.length > 0) {
    try {
      // Loaded when it is needed: its charts take a second.
      const { writeReport } = await import('../report/report.ts');
      report = await writeReport(store, document, path.join(homePaths(context.home).reports, document.runId));
    } catch (error) {
      // The run is what counts; its report can be made again.
      terminal.say(`the report could not be written: ${error instanceof Error ? error.message : String(error)}`);
    }
    terminal.raw(`${runTable(document)}\n`);
  }
  terminal.say(`run ${document.runId}: ${document.status}${document.reason === null ? '' : ` · ${document.reason}`}`);
  if (report) terminal.say(`report ${report.html}`);
  if (document.status === 'waiting')
    terminal.say(
      `\`./bin/startrail retry ${document.runId}\` tries the iteration again, \`./bin/startrail abandon ${document.runId}\` ends the run`,
    );
  if (document.status === 'paused') terminal.say(`\`./bin/startrail resume ${document.runId}\` lets it go on`);
  return report;
}
