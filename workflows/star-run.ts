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
  setHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import type { ChildWorkflowHandle } from '@temporalio/workflow';
import { ApplicationFailure } from '@temporalio/common';
import { carriedIn } from '../schemas/port-values.ts';
import { RunInput } from '../schemas/run.ts';
import type { IterationSummary, Progress, ResolvedRun, RunDecision, RunStatus } from '../schemas/run.ts';
import { baseOf, begin, graphOf, shardsInFlightOf } from './beginning.ts';
import { changeOptions } from './change-options.ts';
import { decide } from './decide.ts';
import { iterationAttributes, runDisplay } from './display.ts';
import { DocumentWriter } from './document.ts';
import { isHalted, parse, reasonOf, runFailure, runProgress } from './run-messages.ts';
import type { RunState } from './run-state.ts';
import { budgetSpentIn, RunBudget } from './spending.ts';
import { gateSignal } from './gate.ts';
import { starIteration } from './star-iteration.ts';
import { Steering } from './steering.ts';

/** Continue-as-new after so many iterations, or when Temporal suggests it. */
const ITERATIONS_PER_LINK = 8;

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
  const decisions: RunDecision[] = carried?.decisions ?? [];
  let child: { n: number; id: string; handle: ChildWorkflowHandle<typeof starIteration> } | undefined;
  const whole = new CancellationScope({ cancellable: true });
  const display = runDisplay();

  const progress = (): Progress => ({
    runId,
    status: status === 'running' && steering.paused ? 'paused' : status,
    recipe: resolved?.recipe.id ?? (typeof input.recipe === 'string' ? input.recipe : input.recipe.id),
    task: input.task,
    seed: input.seed,
    iteration: child?.n ?? null,
    iterations: resolved?.iterations ?? input.iterations ?? 0,
    child: child?.id ?? null,
    reason,
    records: iterations,
    decisions,
  });
  const ended = () => status !== 'running' && status !== 'waiting';
  setHandler(runProgress, progress);
  const budget = new RunBudget(
    () => ({ iterations, price: resolved?.price }),
    carried?.budget ?? resolved?.recipe.stop.budget,
    carried?.wallMs,
  );
  const steering: Steering = new Steering(
    () => ({
      status: progress().status,
      next: iterations.length,
      graph: resolved && graphOf(resolved, iterations.length),
      price: resolved?.price,
      working: child !== undefined,
    }),
    budget,
    carried?.paused ?? false,
    carried?.stopping ?? false,
  );
  const note = (action: RunDecision['action'], rule: RunDecision['rule'], why: string, to?: number) =>
    decisions.push({ after: iterations.length - 1, action, rule, reason: why, ...(to !== undefined && { to }) });

  const documents = new DocumentWriter(
    () => {
      const now = progress();
      display(now, resolved);
      return {
        format: 1,
        runId,
        workflowId: runId,
        status: now.status,
        reason,
        recipe: now.recipe,
        task: input.task,
        seed: input.seed,
        iterations: [...iterations],
        input,
        resolved: resolved ?? null,
        startedAt,
        decisions,
      };
    },
    // A night tells for its run.
    { quiet: info.parent !== undefined },
  );
  const finish = async (end: RunStatus, why: string): Promise<Progress> => {
    status = end;
    reason = why;
    await CancellationScope.nonCancellable(() => documents.write({ last: true }));
    await condition(allHandlersFinished);
    return progress();
  };

  /** One iteration to its seal. Throws what made it fail. */
  const iterate = async (n: number, run: ResolvedRun): Promise<IterationSummary> => {
    budget.need();
    const rolledBackTo = decisions.findLast((one) => one.action === 'roll-back' && one.after === n - 1)?.to;
    const id = `${runId}/iteration-${String(n).padStart(3, '0')}`;
    const handle = await startChild(starIteration, {
      workflowId: id,
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      staticSummary: `${run.recipe.id} on ${run.context.task}, iteration ${n}`,
      ...iterationAttributes(run, n),
      args: [
        {
          resolved: run,
          recipe: changeOptions(graphOf(run, n), changed),
          n,
          attempt,
          model: iterations[rolledBackTo ?? n - 1]?.model ?? null,
          base: baseOf(iterations),
          ...carriedIn(iterations[rolledBackTo ?? n - 1]),
          changed,
          shardsInFlight: shardsInFlightOf(run),
          purse: budget.purse,
          rolledBackTo,
        },
      ],
    });
    child = { n, id, handle };
    if (!steering.paused) budget.clock.start();
    let open = true;
    const forward = (async () => {
      let sent: 'open' | 'hold' | 'halt' = 'open';
      while (open) {
        await condition(() => !open || steering.gate !== sent);
        if (!open) return;
        sent = steering.gate;
        await handle.signal(gateSignal, sent);
        if (sent !== 'halt') await documents.write();
      }
    })().catch(() => undefined); // a cancelled run has nothing to forward; its end is told by the child's result
    try {
      return await handle.result();
    } finally {
      open = false;
      child = undefined;
      budget.clock.stop();
      await CancellationScope.nonCancellable(() => forward);
    }
  };

  const loop = async (): Promise<Progress> => {
    if (!resolved) {
      const beginning = await begin(input, runId);
      resolved = beginning.resolved;
      iterations.push(...beginning.iterations);
      decisions.push(...beginning.decisions);
      budget.limits = resolved.recipe.stop.budget;
      await documents.writeAside();
    }
    const run = resolved;
    let inThisLink = 0;
    for (;;) {
      const n = iterations.length;
      if (n > 0) {
        const decision = decide(iterations, run.recipe.stop, run.iterations, decisions);
        if (decision.action !== 'continue')
          note(
            decision.action,
            decision.rule,
            decision.reason,
            decision.action === 'roll-back' ? decision.to : undefined,
          );
        if (decision.action === 'stop') return finish('done', decision.reason);
        budget.warn(decisions, n - 1);
      }
      if (steering.stopping) return finish('stopped', 'stopped on request');
      if (steering.paused) {
        await documents.write();
        await condition(() => !steering.paused || steering.stopping);
        continue;
      }
      if (inThisLink >= ITERATIONS_PER_LINK || workflowInfo().continueAsNewSuggested) {
        await documents.written();
        await condition(allHandlersFinished);
        await continueAsNew<typeof starRun>(raw, {
          startedAt,
          resolved: run,
          iterations,
          attempt,
          changed,
          paused: steering.paused,
          stopping: steering.stopping,
          decisions,
          budget: budget.limits,
          wallMs: budget.clock.ms,
        });
      }
      try {
        iterations.push(await iterate(n, run));
        attempt = 1;
        changed = {};
        inThisLink++;
        await documents.writeAside();
      } catch (error) {
        if (isCancellation(error)) throw error;
        if (isHalted(error)) return finish('stopped', 'stopped on request');
        const spent = budgetSpentIn(error);
        budget.broke = spent !== undefined;
        reason = spent ?? `iteration ${n} failed: ${reasonOf(error)}`;
        if (spent !== undefined) note(input.onFailure === 'fail' ? 'stop' : 'wait', 'budget', spent);
        if (input.onFailure === 'fail') {
          if (budget.broke) return finish('stopped', reason);
          await finish('failed', reason);
          throw ApplicationFailure.nonRetryable(reason, 'IterationFailed');
        }
        const end = await waitForAnswer(reason);
        if (end) return end;
      }
    }
  };

  /** Waits for a retry, which it prepares; or the end that was asked for instead. */
  const waitForAnswer = async (why: string): Promise<Progress | undefined> => {
    status = 'waiting';
    await documents.write();
    await condition(() => steering.request !== undefined || steering.stopping);
    const asked = steering.request;
    steering.request = undefined;
    if (!asked) return finish('stopped', `stopped on request; ${why}`);
    if (asked.kind === 'abandon') return finish('failed', `abandoned: ${why}`);
    status = 'running';
    reason = null;
    // What a budget cut short goes on as it was; what failed is another attempt, which judges anew what was not judged.
    if (!budget.broke) attempt++;
    changed = budget.broke ? { ...changed, ...asked.set } : asked.set;
    budget.broke = false;
    if (asked.budget) {
      budget.limits = asked.budget;
      note('raise', 'budget', `the budget is ${JSON.stringify(asked.budget)}`);
    }
    return undefined;
  };

  try {
    return await whole.run(async () => {
      void condition(() => steering.stopNow).then(
        () => whole.cancel(),
        () => undefined,
      );
      return loop();
    });
  } catch (error) {
    if (isCancellation(error)) {
      if (steering.stopNow)
        return finish('stopped', 'stopped at once on request; the iteration under way is not sealed');
      await finish('cancelled', 'cancelled');
      throw error;
    }
    if (!ended() && error instanceof ActivityFailure) {
      const failure = runFailure(error);
      if (failure.type !== 'InvalidInput') await finish('failed', reasonOf(error));
      throw failure;
    }
    throw error;
  }
}
