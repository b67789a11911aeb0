/**
 * starRun: the loop. resolve → prepare (iteration 0) → iterations, each a child workflow → decide → the end.
 *
 * Its state is small and plain (names, refs, counts), so continue-as-new carries all of it, and it happens only while no
 * child is open. Update handlers set state and return; the main line does the rest. Input: any JSON; see schemas/run.ts.
 */
import {
  ActivityFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import type { ChildWorkflowHandle } from '@temporalio/workflow';
import { ApplicationFailure } from '@temporalio/common';
import { RetryInput, RunInput, StopInput } from '../schemas/run.ts';
import type { IterationSummary, Progress, ResolvedRun, RunStatus } from '../schemas/run.ts';
import { baseOf, begin, graphOf, shardsInFlightOf } from './beginning.ts';
import { changeOptions } from './change-options.ts';
import { decide } from './decide.ts';
import { runTable } from './details.ts';
import {
  abandonUpdate,
  isHalted,
  parse,
  pauseUpdate,
  reasonOf,
  resumeUpdate,
  retryUpdate,
  runProgress,
  stopUpdate,
} from './run-messages.ts';
import { lastPublish, publishBetween } from './stage-calls.ts';
import { gateSignal } from './gate.ts';
import { starIteration } from './star-iteration.ts';

/** Continue-as-new after so many iterations, or when Temporal suggests it. */
const ITERATIONS_PER_LINK = 8;

/** What one link of the chain hands to the next. */
interface RunState {
  startedAt: string;
  resolved: ResolvedRun;
  iterations: IterationSummary[];
  /** Attempt of the next iteration and the options changed for it. */
  attempt: number;
  changed: Record<string, unknown>;
  paused: boolean;
  stopping: boolean;
}

type Request = { kind: 'retry'; set: Record<string, unknown> } | { kind: 'abandon' };

export async function starRun(raw: unknown, carried?: RunState): Promise<Progress> {
  const input = parse(RunInput, raw);
  const info = workflowInfo();
  const runId = info.workflowId;
  const startedAt = carried?.startedAt ?? info.startTime.toISOString();

  let status: RunStatus = 'running';
  let reason: string | null = null;
  let resolved: ResolvedRun | undefined = carried?.resolved;
  const iterations: IterationSummary[] = carried?.iterations ?? [];
  let attempt = carried?.attempt ?? 1;
  let changed = carried?.changed ?? {};
  let paused = carried?.paused ?? false;
  let stopping = carried?.stopping ?? false;
  let stopNow = false;
  let request: Request | undefined;
  let child: { n: number; id: string; handle: ChildWorkflowHandle<typeof starIteration> } | undefined;
  const whole = new CancellationScope({ cancellable: true });

  const progress = (): Progress => ({
    runId,
    status: status === 'running' && paused ? 'paused' : status,
    recipe: resolved?.recipe.id ?? (typeof input.recipe === 'string' ? input.recipe : input.recipe.id),
    task: input.task,
    seed: input.seed,
    iteration: child?.n ?? null,
    iterations: resolved?.iterations ?? input.iterations ?? 0,
    child: child?.id ?? null,
    reason,
    records: iterations,
  });
  const ended = () => status !== 'running' && status !== 'waiting';
  const refuse = (why: string) =>
    ApplicationFailure.nonRetryable(why, 'InvalidInput', [{ field: '(run)', message: why }]);
  setHandler(runProgress, progress);
  setHandler(pauseUpdate, () => {
    paused = true;
    return 'paused: no new shard starts; what is under way is finished';
  });
  setHandler(resumeUpdate, () => {
    paused = false;
    return 'resumed';
  });
  setHandler(
    stopUpdate,
    (options?: unknown) => {
      stopping = true;
      if (parse(StopInput, options ?? {}).now) stopNow = true;
      return stopNow ? 'stopping now' : 'stopping when the shards under way are done';
    },
    { validator: (options?: unknown) => void parse(StopInput, options ?? {}) },
  );
  setHandler(
    retryUpdate,
    (options?: unknown) => {
      request = { kind: 'retry', set: parse(RetryInput, options ?? {}).set };
      return `iteration ${iterations.length} is tried again`;
    },
    {
      validator: (options?: unknown) => {
        if (status !== 'waiting') throw refuse(`nothing to retry: the run is ${progress().status}`);
        const { set } = parse(RetryInput, options ?? {});
        if (resolved) changeOptions(graphOf(resolved, iterations.length), set);
      },
    },
  );
  setHandler(
    abandonUpdate,
    () => {
      request = { kind: 'abandon' };
      return 'abandoned';
    },
    {
      validator: () => {
        if (status !== 'waiting') throw refuse(`nothing to abandon: the run is ${progress().status}; use stop`);
      },
    },
  );

  /** The document in the store follows every change of state. */
  const publish = async (local = true) => {
    setCurrentDetails(runTable(progress()));
    const { status: now } = progress();
    const document = {
      format: 1 as const,
      runId,
      workflowId: runId,
      status: now,
      reason,
      recipe: progress().recipe,
      task: input.task,
      seed: input.seed,
      iterations,
      input,
      resolved: resolved ?? null,
      startedAt,
    };
    await (local ? publishBetween(document) : lastPublish.publish(document));
  };
  const finish = async (end: RunStatus, why: string): Promise<Progress> => {
    status = end;
    reason = why;
    await CancellationScope.nonCancellable(() => publish(false));
    await condition(allHandlersFinished);
    return progress();
  };

  /** One iteration to its seal. Throws what made it fail. */
  const iterate = async (n: number, run: ResolvedRun): Promise<IterationSummary> => {
    const id = `${runId}/iteration-${String(n).padStart(3, '0')}`;
    const handle = await startChild(starIteration, {
      workflowId: id,
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      staticSummary: `${run.recipe.id} on ${run.context.task}, iteration ${n}`,
      args: [
        {
          resolved: run,
          recipe: changeOptions(graphOf(run, n), changed),
          n,
          attempt,
          model: iterations.at(-1)?.model ?? null,
          base: baseOf(iterations),
          changed,
          shardsInFlight: shardsInFlightOf(run),
        },
      ],
    });
    child = { n, id, handle };
    let open = true;
    const forward = (async () => {
      let sent: 'open' | 'hold' | 'halt' = 'open';
      const wanted = () => (stopping ? 'halt' : paused ? 'hold' : 'open');
      while (open) {
        await condition(() => !open || wanted() !== sent);
        if (!open) return;
        sent = wanted();
        await handle.signal(gateSignal, sent);
        if (sent !== 'halt') await publish();
      }
    })().catch(() => undefined); // a cancelled run has nothing to forward; its end is told by the child's result
    try {
      return await handle.result();
    } finally {
      open = false;
      child = undefined;
      await CancellationScope.nonCancellable(() => forward);
    }
  };

  const loop = async (): Promise<Progress> => {
    if (!resolved) {
      const beginning = await begin(input, runId);
      resolved = beginning.resolved;
      iterations.push(...beginning.iterations);
      await publish();
    }
    const run = resolved;
    let inThisLink = 0;
    for (;;) {
      const n = iterations.length;
      if (n > 0) {
        const decision = decide(iterations, run.recipe.stop, run.iterations);
        if (decision.action === 'stop') return finish('done', decision.reason);
      }
      if (stopping) return finish('stopped', 'stopped on request');
      if (paused) {
        await publish();
        await condition(() => !paused || stopping);
        continue;
      }
      if (inThisLink >= ITERATIONS_PER_LINK || workflowInfo().continueAsNewSuggested) {
        await condition(allHandlersFinished);
        await continueAsNew<typeof starRun>(raw, {
          startedAt,
          resolved: run,
          iterations,
          attempt,
          changed,
          paused,
          stopping,
        });
      }
      try {
        iterations.push(await iterate(n, run));
        attempt = 1;
        changed = {};
        inThisLink++;
        await publish();
      } catch (error) {
        if (isCancellation(error)) throw error;
        if (isHalted(error)) return finish('stopped', 'stopped on request');
        reason = `iteration ${n} failed: ${reasonOf(error)}`;
        if (input.onFailure === 'fail') {
          await finish('failed', reason);
          throw ApplicationFailure.nonRetryable(reason, 'IterationFailed');
        }
        status = 'waiting';
        await publish();
        await condition(() => request !== undefined || stopping);
        const asked = request;
        request = undefined;
        if (stopping && !asked) return finish('stopped', `stopped on request; ${reason}`);
        if (asked?.kind === 'abandon') return finish('failed', `abandoned: ${reason}`);
        status = 'running';
        reason = null;
        attempt++;
        changed = asked?.set ?? {};
      }
    }
  };

  try {
    return await whole.run(async () => {
      void condition(() => stopNow).then(
        () => whole.cancel(),
        () => undefined,
      );
      return loop();
    });
  } catch (error) {
    if (isCancellation(error)) {
      if (stopNow) return finish('stopped', 'stopped at once on request; the iteration under way is not sealed');
      await finish('cancelled', 'cancelled');
      throw error;
    }
    if (!ended() && error instanceof ActivityFailure) {
      const { cause } = error;
      const failed = cause instanceof ApplicationFailure ? cause : undefined;
      if (failed?.type === 'InvalidInput')
        throw ApplicationFailure.nonRetryable(failed.message, 'InvalidInput', ...(failed.details ?? []));
      await finish('failed', reasonOf(error));
      throw ApplicationFailure.nonRetryable(reasonOf(error), failed?.type ?? 'RunFailed');
    }
    throw error;
  }
}
