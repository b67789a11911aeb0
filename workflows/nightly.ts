/**
 * nightly: one night of retraining. A run from the base (a child, `onFailure: fail`, the gate kept out of its training), then
 * the gate, then one event in the task's history of models. A schedule starts it; anything else may. Input:
 * schemas/nightly.ts.
 *
 * What fails fails the night, so that a schedule with pause-on-failure pauses, and stands in the history.
 */
import {
  CancellationScope,
  executeChild,
  ParentClosePolicy,
  proxyActivities,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import { ApplicationFailure } from '@temporalio/common';
import type { Activities } from '../activities/index.ts';
import { NON_RETRYABLE } from '../schemas/failure.ts';
import { NightlyInput } from '../schemas/nightly.ts';
import type { NightResult } from '../schemas/nightly.ts';
import { parse, reasonOf } from './run-messages.ts';
import { starRun } from './star-run.ts';

const retry = {
  initialInterval: '500ms',
  backoffCoefficient: 1.5,
  maximumInterval: '10s',
  maximumAttempts: 60,
  nonRetryableErrorTypes: NON_RETRYABLE,
} as const;
const quick = proxyActivities<Pick<Activities, 'gateQueue' | 'nightFailed'>>({
  startToCloseTimeout: '1m',
  heartbeatTimeout: '6s',
  retry,
});

/** A schedule appends a time with colons to the id, which can't stand in a run's. */
const runIdOf = (workflowId: string) => `${workflowId.replaceAll(/[^A-Za-z0-9._-]/g, '').slice(0, 96)}-run`;

export async function nightly(raw: unknown): Promise<NightResult> {
  const input = parse(NightlyInput, raw);
  const { workflowId, runId: key, startTime } = workflowInfo();
  const run = runIdOf(workflowId);
  const seed = input.run.seed ?? Math.floor(startTime.getTime() / 1000);
  try {
    const end = await executeChild(starRun, {
      workflowId: run,
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      staticSummary: `the run of ${workflowId}`,
      args: [{ ...input.run, seed, gate: true, onFailure: 'fail' }],
    });
    // What a budget cut short has models too; the gate judges the best of them.
    const { rule } = end.decisions?.at(-1) ?? {};
    const cutShort = end.status === 'stopped' && rule === 'budget' && end.records.length > 1;
    if (end.status !== 'done' && !cutShort)
      throw ApplicationFailure.nonRetryable(
        `the run is ${end.status}: ${end.reason ?? 'no reason given'}`,
        'NightFailed',
      );
    const taskQueue = await quick.gateQueue(run);
    const { gate } = proxyActivities<Pick<Activities, 'gate'>>({
      taskQueue,
      startToCloseTimeout: '24h',
      heartbeatTimeout: '6s',
      retry,
    });
    const result = await gate.executeWithOptions({ summary: `gate · ${run}` }, [{ run, rule: input.gate, key }]);
    setCurrentDetails(`**${result.what}** (event ${result.event} of ${input.run.task}): ${result.reason}`);
    return result;
  } catch (error) {
    const reason = reasonOf(error);
    await CancellationScope.nonCancellable(() => quick.nightFailed({ task: input.run.task, run, key, reason }));
    setCurrentDetails(`**failed**: ${reason}`);
    throw error;
  }
}
