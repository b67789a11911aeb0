/** `run <recipe, task or file.json>`: starts a run and follows it. */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import type { RunInput } from '../schemas/run.ts';
import { WORKFLOWS } from '../schemas/run.ts';
import { taskQueues } from '../temporal.config.ts';
import { runIds } from './document.ts';
import { dryRun } from './dry-run.ts';
import { CliError, EXIT } from './exit.ts';
import { followToEnd, listenForLeave } from './finish.ts';
import { prepareHome } from './home.ts';
import { chooseRunId, runInput } from './input.ts';
import type { RunOptions } from './input.ts';
import { checkEngine, openStore, reattach, session as newSession } from './parts.ts';
import type { Context } from './parts.ts';
import { planInput } from './plan.ts';
import { names } from './registry.ts';
import type { Session } from './session.ts';

const exists = (runId: string) =>
  new CliError(
    EXIT.input,
    'RunExists',
    `there is a run ${runId} already: \`${reattach(runId)}\` follows it; choose another --run-id to start anew`,
    { runId },
  );

export async function run(context: Context, name: string, options: RunOptions & { dryRun?: boolean }): Promise<number> {
  const { terminal } = context;
  const input = runInput(name, options, names());
  if (options.dryRun) return dryRun(context, input);
  checkEngine(context, planInput(input).engine);
  prepareHome(context.home);
  const taken = await runIds(await openStore(context.home));
  if (options.runId !== undefined && taken.includes(options.runId)) throw exists(options.runId);
  const leaving = listenForLeave();
  const session = await newSession(context, 'run');
  leaving.orderly();
  let runId: string;
  try {
    if (leaving.signal.aborted)
      throw new CliError(EXIT.detached, 'Interrupted', 'interrupted before the run was started');
    runId = await start(session, input, options.runId, taken);
  } catch (error) {
    await session.close();
    leaving.done();
    throw error;
  }
  terminal.say(
    `run ${runId} started${session.ui === null ? '' : ` · ${session.ui}/namespaces/default/workflows/${runId}`}`,
  );
  return followToEnd(context, session, runId, 'run', leaving, input);
}

async function start(session: Session, input: RunInput, wanted: string | undefined, taken: string[]): Promise<string> {
  for (;;) {
    const runId = wanted ?? chooseRunId(input, taken);
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
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      if (wanted !== undefined) throw exists(wanted);
      // Started elsewhere and not in the store yet.
      taken.push(runId);
    }
  }
}
