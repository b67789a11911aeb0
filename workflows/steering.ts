/**
 * What a run has been told from outside (updates), kept until its main line acts on it. Handlers set state and return;
 * validators refuse what can't be done before anything is recorded.
 */
import { setHandler } from '@temporalio/workflow';
import { ApplicationFailure } from '@temporalio/common';
import { Budget, spendingOf } from '../schemas/budget.ts';
import type { Price } from '../schemas/budget.ts';
import type { Recipe } from '../schemas/recipe.ts';
import { RetryInput, StopInput } from '../schemas/run.ts';
import type { RunStatus } from '../schemas/run.ts';
import { changeOptions } from './change-options.ts';
import { abandonUpdate, parse, pauseUpdate, resumeUpdate, retryUpdate, stopUpdate } from './run-messages.ts';
import type { RunBudget } from './spending.ts';

export type Request = { kind: 'retry'; set: Record<string, unknown>; budget: Budget | undefined } | { kind: 'abandon' };

/** The run as it stands when an update comes. */
export interface Steered {
  status: RunStatus;
  /** Iteration that a retry would do. */
  next: number;
  /** Its graph; undefined before the run is resolved. */
  graph: Recipe | undefined;
  price: Price | undefined;
  /** An iteration is under way. */
  working: boolean;
}

const PREFIX = 'stop.budget.';
const refuse = (why: string, field = '(run)') =>
  ApplicationFailure.nonRetryable(why, 'InvalidInput', [{ field, message: why }]);

/** A retry's changes: those of the run's budget, which hold from now on, apart from those of the one iteration. */
export function splitChanges(set: Record<string, unknown>, budget: Budget | undefined) {
  const raised = Object.entries(set).filter(([path]) => path.startsWith(PREFIX));
  const rest = Object.fromEntries(Object.entries(set).filter(([path]) => !path.startsWith(PREFIX)));
  if (raised.length === 0) return { rest, budget: undefined };
  const asked = { ...budget, ...Object.fromEntries(raised.map(([path, value]) => [path.slice(PREFIX.length), value])) };
  return { rest, budget: parse(Budget, asked) };
}

export class Steering {
  stopNow = false;
  request: Request | undefined;
  constructor(
    private readonly run: () => Steered,
    private readonly budget: RunBudget,
    public paused: boolean,
    public stopping: boolean,
  ) {
    setHandler(
      pauseUpdate,
      () => {
        this.paused = true;
        this.budget.clock.stop();
        return 'paused: no new shard starts; what is under way is finished';
      },
      { description: 'No new shard starts; what is under way is finished' },
    );
    setHandler(
      resumeUpdate,
      () => {
        this.paused = false;
        if (this.run().working) this.budget.clock.start();
        return 'resumed';
      },
      { description: 'Go on after a pause' },
    );
    setHandler(
      stopUpdate,
      (options?: unknown) => {
        this.stopping = true;
        if (parse(StopInput, options ?? {}).now) this.stopNow = true;
        return this.stopNow ? 'stopping now' : 'stopping when the shards under way are done';
      },
      {
        validator: (options?: unknown) => void parse(StopInput, options ?? {}),
        description: 'End the run when the shards under way are done; at once with {"now": true}',
      },
    );
    setHandler(retryUpdate, (options?: unknown) => this.retry(options), {
      validator: (options?: unknown) => this.checkRetry(options),
      description:
        'Of a run that waits: what is missing of the iteration again; {"set": {"<path>": value}} changes options',
    });
    setHandler(
      abandonUpdate,
      () => {
        this.request = { kind: 'abandon' };
        return 'abandoned';
      },
      {
        description: 'Of a run that waits: end it as failed; what was sealed stays',
        validator: () => {
          const { status } = this.run();
          if (status !== 'waiting') throw refuse(`nothing to abandon: the run is ${status}; use stop`);
        },
      },
    );
  }

  get gate(): 'open' | 'hold' | 'halt' {
    return this.stopping ? 'halt' : this.paused ? 'hold' : 'open';
  }

  private retry(options: unknown): string {
    const { rest, budget } = splitChanges(parse(RetryInput, options ?? {}).set, this.budget.limits);
    this.request = { kind: 'retry', set: rest, budget };
    return `iteration ${this.run().next} is tried again`;
  }

  private checkRetry(options: unknown): void {
    const { status, graph, price } = this.run();
    if (status !== 'waiting') throw refuse(`nothing to retry: the run is ${status}`);
    const { rest, budget } = splitChanges(parse(RetryInput, options ?? {}).set, this.budget.limits);
    if (graph) changeOptions(graph, rest);
    if (budget?.money !== undefined && !price) throw refuse('the engine has no price', `set.${PREFIX}money`);
    if (!this.budget.broke) return;
    const [most] = spendingOf(this.budget.spent, budget ?? this.budget.limits ?? Budget.parse({}), price);
    if (budget && (most?.share ?? 0) < 1) return;
    const path = `${PREFIX}${most?.of ?? 'tokens'}`;
    throw refuse(
      `the budget is spent; give a larger one, e.g. {"set": {"${path}": ${2 * (most?.limit ?? 1e6)}}}`,
      `set.${path}`,
    );
  }
}
