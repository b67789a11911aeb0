/** What the live page is handed by `up`: the store, looks at runs through Temporal, and what may be done with a run. */
import path from 'node:path';
import { WorkflowNotFoundError } from '@temporalio/client';
import { pino } from 'pino';
import type { Action, Installation, LogEntry, Wish } from '../page/installation.ts';
import { Refused } from '../page/refusal.ts';
import type { UPDATES } from '../schemas/run.ts';
import type { Store } from '../store/store.ts';
import { taskById } from '../tasks/index.ts';
import { readRun, runIds } from './document.ts';
import { asCliError, EXIT } from './exit.ts';
import { checkFork, chooseForkId, forkInput } from './fork.ts';
import { setting } from './input.ts';
import { emptyMemory, look } from './look.ts';
import type { Memory } from './look.ts';
import type { Context } from './parts.ts';
import { names, recipeById } from './registry.ts';
import { pause } from './session.ts';
import type { Session } from './session.ts';
import { startRun } from './start.ts';
import { sendUpdate } from './steer.ts';

const UPDATE: Record<Exclude<Action, 'fork'>, { name: keyof typeof UPDATES; said: string }> = {
  pause: { name: 'pause', said: 'pauses after the shards under way' },
  resume: { name: 'resume', said: 'goes on' },
  stop: { name: 'stop', said: 'ends after the shards under way' },
  retry: { name: 'retryIteration', said: 'tries its iteration again' },
  abandon: { name: 'abandon', said: 'ends' },
};
/** A new run's document is written by its first activities. */
const DOCUMENT_MS = 15_000;
const KEPT_BYTES = 1 << 20;

export function openInstallation(context: Context, session: Session, store: Store): Installation {
  const memories = new Map<string, Memory>();
  return {
    store,
    task: taskById,
    recipe: recipeById,
    recipes: names().recipes,
    look(runId) {
      const memory = memories.get(runId) ?? emptyMemory();
      memories.set(runId, memory);
      return look(session.connection, session.client, runId, memory, session.workerReady());
    },
    act: (wish) => act(context, session, store, wish).catch(refuse),
    log: openLog(session.paths.logs),
  };
}

/** One JSON line each; a full disk does not end the page. */
function openLog(folder: string): (entry: LogEntry) => void {
  const destination = pino.destination({ dest: path.join(folder, 'page.log'), sync: true, maxLength: KEPT_BYTES });
  destination.on('error', () => undefined);
  const log = pino({ name: 'page' }, destination);
  return ({ level, message, ...entry }) => {
    log[level](entry, message);
  };
}

async function act(
  context: Context,
  session: Session,
  store: Store,
  wish: Wish,
): Promise<{ run: string; said: string }> {
  const { run, action } = wish;
  const set = wish.set.reduce<[string, unknown][]>((before, line) => setting(line, before), []);
  if (action === 'fork') return fork(context, session, store, wish, set);
  const { name, said } = UPDATE[action];
  const argument = action === 'retry' ? { set: Object.fromEntries(set) } : action === 'stop' ? {} : undefined;
  await sendUpdate(session, run, name, argument);
  return { run, said: `${run} ${said}` };
}

async function fork(
  context: Context,
  session: Session,
  store: Store,
  { run, from = 1, iterations }: Wish,
  set: [string, unknown][],
): Promise<{ run: string; said: string }> {
  const document = await readRun(store, run);
  if (!document) throw new Refused(404, 'NotFound', 'there is no such run');
  const input = forkInput(document, { from, set, ...(iterations !== undefined && { iterations }) });
  await checkFork(context, document, input);
  const choose = (taken: string[]) => chooseForkId(run, from, taken);
  const runId = await startRun(session, input, { wanted: undefined, choose, taken: await runIds(store) });
  for (const until = performance.now() + DOCUMENT_MS; performance.now() < until; await pause(100))
    if (await readRun(store, runId)) break;
  return { run: runId, said: `${runId} started` };
}

/** Bad input is the asker's, the rest is ours or the server's. */
function refuse(error: unknown): never {
  if (error instanceof Refused) throw error;
  if (error instanceof WorkflowNotFoundError)
    throw new Refused(409, 'RunEnded', 'Temporal has no such run under way; it has ended or was forgotten');
  if (error instanceof Error && 'code' in error && error.code === 'commander.invalidArgument')
    throw new Refused(400, 'BadWish', error.message);
  const { exit, code, message } = asCliError(error);
  throw new Refused(exit === EXIT.input ? 409 : exit === EXIT.unreachable ? 503 : 500, code, message);
}
