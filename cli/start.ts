/** Starts a run's workflow under its own name; two starts of one name can't both succeed. Shared by `run` and `fork`. */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import type { RunInput } from '../schemas/run.ts';
import { WORKFLOWS } from '../schemas/run.ts';
import { taskQueues } from '../temporal.config.ts';
import { CliError, EXIT } from './exit.ts';
import { reattach } from './parts.ts';
import type { Session } from './session.ts';

export const runExists = (runId: string): CliError =>
  new CliError(
    EXIT.input,
    'RunExists',
    `there is a run ${runId} already: \`${reattach(runId)}\` follows it; choose another --run-id to start anew`,
    { runId },
  );

/** `wanted` or else the next name of `choose` that nobody has. Returns the run id. Throws RunExists. */
export async function startRun(
  session: Session,
  input: RunInput,
  wanted: string | undefined,
  choose: (taken: string[]) => string,
  taken: string[],
): Promise<string> {
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
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      if (wanted !== undefined) throw runExists(wanted);
      // Started elsewhere and not in the store yet.
      taken.push(runId);
    }
  }
}
