/**
 * What an iteration has spent so far, held against the run's budget before each shard. The clock is the workflow's, so a
 * replay comes to the same answer.
 */
import { ApplicationFailure, ChildWorkflowFailure } from '@temporalio/workflow';
import { addSpent, nothingSpent, spendingOf, spendingSentence } from '../schemas/budget.ts';
import type { Budget, Price, Spent } from '../schemas/budget.ts';
import type { IterationSummary, RunDecision } from '../schemas/run.ts';
import { stageRow } from '../schemas/stage.ts';
import type { StageKind, StageOutput } from '../schemas/stage.ts';

/** Type of the failure with which an iteration ends that may spend no more. */
export const BUDGET_SPENT = 'BudgetSpent';

/** Runs while work is under way. */
export class WorkClock {
  private since: number | undefined;
  constructor(private total = 0) {}
  get ms(): number {
    return this.total + (this.since === undefined ? 0 : Math.max(0, Date.now() - this.since));
  }
  start(): void {
    this.since ??= Date.now();
  }
  stop(): void {
    this.total = this.ms;
    this.since = undefined;
  }
}

/** The limits as an iteration gets them, with what was spent before it. */
export interface Purse {
  budget: Budget;
  price?: Price;
  before: Spent;
}

/** The sentence in which a run says that a limit is reached; undefined while none is. */
export function overBudget({ budget, price, before }: Purse): string | undefined {
  const [most] = spendingOf(before, budget, price);
  return most !== undefined && most.share >= 1 ? `the budget is spent: ${spendingSentence(most, price)}` : undefined;
}

export const budgetSpent = (sentence: string): ApplicationFailure =>
  ApplicationFailure.nonRetryable(sentence, BUDGET_SPENT);

/** The sentence of a budget that is spent, where that is why this failed. */
export function budgetSpentIn(error: unknown): string | undefined {
  if (error instanceof ChildWorkflowFailure) return budgetSpentIn(error.cause);
  return error instanceof ApplicationFailure && error.type === BUDGET_SPENT ? error.message : undefined;
}

/** A run's budget: what its sealed iterations and its clock say; an iteration under way counts for itself. */
export class RunBudget {
  readonly clock: WorkClock;
  /** It is spent, and the run waits for a larger one. */
  broke = false;
  constructor(
    private readonly of: () => { iterations: IterationSummary[]; price: Price | undefined },
    /** As the recipe has it, or as it was raised since. */
    public limits: Budget | undefined,
    wallMs = 0,
  ) {
    this.clock = new WorkClock(wallMs);
  }

  get spent(): Spent {
    const { iterations } = this.of();
    const sum = iterations.reduce((total, one) => addSpent(total, one.spent ?? nothingSpent()), nothingSpent());
    return { ...sum, wallMs: this.clock.ms };
  }

  get purse(): Purse | undefined {
    const { price } = this.of();
    return this.limits && { budget: this.limits, before: this.spent, ...(price && { price }) };
  }

  /** Throws BudgetSpent. */
  need(): void {
    const { purse } = this;
    const over = purse && overBudget(purse);
    if (over !== undefined) throw budgetSpent(over);
  }

  /** Adds a decision once, when a budget nears its end, and once more when it was raised since. */
  warn(decisions: RunDecision[], after: number): void {
    const { purse } = this;
    const [most] = purse ? spendingOf(purse.before, purse.budget, purse.price) : [];
    if (!purse || !most || most.share < purse.budget.warnAt) return;
    if (decisions.findLast(({ rule }) => rule === 'budget')?.action === 'warn') return;
    const reason = `${Math.floor(100 * most.share)}% spent: ${spendingSentence(most, purse.price)}`;
    decisions.push({ after, action: 'warn', rule: 'budget', reason });
  }
}

/** Counts what an iteration spends. */
export class IterationSpending {
  own: Spent = nothingSpent();
  private readonly clock = new WorkClock();
  constructor(private readonly purse: Purse | undefined) {
    this.clock.start();
  }

  add(kind: StageKind, { tokens, seconds }: Pick<StageOutput, 'tokens' | 'seconds'>): void {
    const trains = stageRow(kind).queue === 'train';
    const more = { sampled: trains ? 0 : tokens, trained: trains ? tokens : 0, engineSeconds: seconds, wallMs: 0 };
    this.own = addSpent(this.own, more);
  }

  /** While no shard may start, time costs nothing. */
  hold(held: boolean): void {
    if (held) this.clock.stop();
    else this.clock.start();
  }

  get spent(): Spent {
    return { ...this.own, wallMs: this.clock.ms };
  }

  /** What a child of the iteration may spend. */
  get left(): Purse | undefined {
    return this.purse && { ...this.purse, before: addSpent(this.purse.before, this.spent) };
  }

  over(): string | undefined {
    return this.left && overBudget(this.left);
  }
}
