/** Starts a run's workflow under its own name; two starts of one name can't both succeed. Shared by `run` and `fork`. */
import type { RunInput } from '../schemas/run.ts';
import { WORKFLOWS } from '../schemas/run.ts';
import { taskQueues } from '../temporal.config.ts';
import { CliError, EXIT } from './exit.ts';
import { listenForLeave } from './leave.ts';
import type { Leaving } from './leave.ts';
import { reattach, session as newSession } from './parts.ts';
import type { Context } from './parts.ts';
import type { Session } from './session.ts';

const runExists = (runId: string): CliError =>
  new CliError(
    EXIT.input,
    'RunExists',
    `there is a run ${runId} already: \`${reattach(runId)}\` follows it; choose another --run-id to start anew`,
    { runId },
  );

export interface Name {
  /** What the person asked for; else the next of `choose` that nobody has. */
  wanted: string | undefined;
  choose: (taken: string[]) => string;
  taken: string[];
}
export interface Begun {
  session: Session;
  runId: string;
  leaving: Leaving;
}

/** A session with the run started in it, to be followed. Throws RunExists, and Interrupted where the person left before. */
export async function beginRun(context: Context, verb: 'run' | 'fork', input: RunInput, name: Name): Promise<Begun> {
  if (name.wanted !== undefined && name.taken.includes(name.wanted)) throw runExists(name.wanted);
  const { session, leaving } = await beginSession(context, verb);
  try {
    return { session, runId: await startRun(session, input, name), leaving };
  } catch (error) {
    await session.close();
    leaving.done();
    throw error;
  }
}

/** A session to start runs in. Throws Interrupted where the person left before it was there. */
export async function beginSession(
  context: Context,
  verb: 'run' | 'fork' | 'paper' | 'study',
): Promise<Pick<Begun, 'session' | 'leaving'>> {
  const leaving = listenForLeave();
  const session = await newSession(context, verb);
  leaving.orderly();
  if (!leaving.signal.aborted) return { session, leaving };
  await session.close();
  leaving.done();
  throw new CliError(EXIT.detached, 'Interrupted', `interrupted before the ${verb} was started`);
}

/** Returns the run's id. Throws RunExists where it had to be a certain one. */
export async function startRun(session: Session, input: RunInput, { wanted, choose, taken }: Name): Promise<string> {
  for (;;) {
    const runId = wanted ?? choose(taken);
    const recipe = typeof input.recipe === 'string' ? input.recipe : input.recipe.id;
    try {
      await session.client.workflow.start(WORKFLOWS.run, {
        workflowId: runId,
        taskQueue: taskQueues.control,
        args: [input],
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        staticSummary: `${recipe} on ${input.task}, seed ${input.seed}`,
      });
      return runId;
    } catch (error) {
      const { WorkflowExecutionAlreadyStartedError } = await import('@temporalio/client');
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      if (wanted !== undefined) throw runExists(wanted);
      // Started elsewhere and not in the store yet.
      taken.push(runId);
    }
  }
}
