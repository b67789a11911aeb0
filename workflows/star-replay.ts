/**
 * starReplay: one sealed iteration of a run once more, in a workflow of its own that alters nothing of the run.
 *
 * It runs the same interpreter on what the run's document holds (options, models, digests), under its own name: the memo
 * answers what has not changed. With `fresh` the memo is not asked, and every output is held against the recorded one.
 */
import { ActivityFailure, workflowInfo } from '@temporalio/workflow';
import { ApplicationFailure } from '@temporalio/common';
import { ReplayInput } from '../schemas/replay.ts';
import type { ReplayResult } from '../schemas/replay.ts';
import { carriedIn } from '../schemas/port-values.ts';
import { graphOf, shardsInFlightOf } from './beginning.ts';
import { changeOptions } from './change-options.ts';
import { parse } from './run-messages.ts';
import { frame } from './stage-calls.ts';
import { starIteration } from './star-iteration.ts';

export async function starReplay(raw: unknown): Promise<ReplayResult> {
  const input = parse(ReplayInput, raw);
  const replayId = workflowInfo().workflowId;
  try {
    const {
      resolved,
      model,
      base,
      attempt,
      rolledBackTo,
      changed: before,
      ...recalled
    } = await frame.recall.executeWithOptions({ summary: `what ${input.run} had for iteration ${input.iteration}` }, [
      input,
      replayId,
    ]);
    const changed = { ...before, ...input.set };
    const { record } = await starIteration({
      resolved,
      recipe: changeOptions(graphOf(resolved, input.iteration), changed),
      n: input.iteration,
      attempt,
      model,
      base,
      ...carriedIn(recalled),
      changed,
      rolledBackTo,
      shardsInFlight: shardsInFlightOf(resolved),
    });
    return await frame.confront.executeWithOptions({ summary: 'compare the digests' }, [input, replayId, record]);
  } catch (error) {
    const cause = error instanceof ActivityFailure ? error.cause : undefined;
    if (!(cause instanceof ApplicationFailure)) throw error;
    throw ApplicationFailure.nonRetryable(cause.message, cause.type ?? 'ReplayFailed', ...(cause.details ?? []));
  }
}
