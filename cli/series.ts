/**
 * A series: runs of fixed ids, made one after another in one session. Called again, what is done stays, what is open goes on, what
 * ended badly gets another id and begins with what the memo has; other options under an id are refused. `paper` and `study` are
 * such.
 */
import type { RunDocument, RunInput, RunStatus } from '../schemas/run.ts';
import type { Store } from '../store/store.ts';
import { checkDisk } from './disk.ts';
import { readRun } from './document.ts';
import { estimate } from './estimate.ts';
import { CliError } from './exit.ts';
import { closeSession, followRun, showEnd } from './finish.ts';
import { Detached } from './follow.ts';
import { prepareHome } from './home.ts';
import type { Leaving } from './leave.ts';
import { checkSame, endedBadly, rowId } from './paper-rows.ts';
import { checkEngine, readStore } from './parts.ts';
import type { Context } from './parts.ts';
import { planInput } from './plan.ts';
import type { Session } from './session.ts';
import { beginSession, startRun } from './start.ts';

export interface Member {
  /** What its id ends with, and it is called in messages. */
  key: string;
  input: RunInput;
  runId: string;
  /** Null before the run has a document. */
  status: RunStatus | null;
  /** Done before this command began. */
  reused: boolean;
  document: RunDocument | undefined;
}

/** What all of them would cost, had none anything in common. Refuses as `run` does. */
export async function seriesCost(
  context: Context,
  inputs: RunInput[],
): Promise<{ seconds: number; diskBytes: number }> {
  const cost = { seconds: 0, diskBytes: 0 };
  for (const input of inputs) {
    const plan = await planInput(input);
    checkEngine(context, plan.engine);
    const { seconds, diskBytes } = estimate(plan, []);
    cost.seconds += seconds;
    cost.diskBytes += diskBytes;
  }
  return cost;
}

/** Each with the run that stands for it, or the id that its next attempt takes. Throws RunDiffers. */
export async function seriesOf(
  context: Context,
  name: string,
  wanted: Pick<Member, 'key' | 'input'>[],
): Promise<Member[]> {
  const store = await readStore(context.home);
  return Promise.all(
    wanted.map(async ({ key, input }) => {
      const { runId, document } = await standing(store, name, key, input);
      const status = document?.status ?? null;
      return { key, input, runId, document, status, reused: status === 'done' };
    }),
  );
}

async function standing(store: Store | undefined, name: string, key: string, input: RunInput) {
  for (let attempt = 1; ; attempt++) {
    const runId = rowId(name, key, attempt);
    const document = store && (await readRun(store, runId));
    if (document && endedBadly(document)) continue;
    if (document) checkSame(document, input);
    return { runId, document };
  }
}

/** Makes what is not done, and fills in what became of each. False where the person left. */
export async function makeSeries(
  context: Context,
  verb: 'paper' | 'study',
  members: Member[],
  { diskBytes }: { diskBytes: number },
): Promise<boolean> {
  if (members.every(({ reused }) => reused)) return true;
  checkDisk(context.home, diskBytes);
  prepareHome(context.home);
  const { session, leaving } = await beginSession(context, verb);
  const held = { session };
  try {
    for (const [index, member] of members.entries()) {
      const what = `row ${index + 1} of ${members.length}, ${member.key}: run ${member.runId}`;
      if (member.reused) context.terminal.say(`${what} is done already`);
      else if (!(await makeRun(context, verb, held, leaving, member, what))) break;
    }
    return true;
  } catch (error) {
    if (error instanceof Detached) return false;
    throw error;
  } finally {
    await closeSession(context.terminal, held.session);
    leaving.done();
  }
}

/** False where the run waits for somebody: what comes after it would keep that from being seen. */
async function makeRun(
  context: Context,
  verb: 'paper' | 'study',
  held: { session: Session },
  leaving: Leaving,
  member: Member,
  what: string,
): Promise<boolean> {
  if (leaving.signal.aborted) throw new Detached('detached');
  const { runId, input } = member;
  try {
    await startRun(held.session, input, { wanted: runId, choose: () => runId, taken: [] });
    context.terminal.say(`${what} started`);
  } catch (error) {
    if (!(error instanceof CliError) || error.code !== 'RunExists') throw error;
    context.terminal.say(`${what} goes on`);
  }
  const { store, document } = await followRun(context, held, runId, verb, leaving, input);
  // A run that had no document yet is known only now.
  checkSame(document, input);
  Object.assign(member, { document, status: document.status });
  await showEnd(context, store, document);
  return document.status !== 'waiting' && document.status !== 'paused';
}
