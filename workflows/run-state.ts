/** What a run is between two links of its continue-as-new chain: small and plain, refs and counts. */
import type { Budget } from '../schemas/budget.ts';
import type { IterationSummary, ResolvedRun, RunDecision } from '../schemas/run.ts';

/** What one link of the chain hands to the next. */
export interface RunState {
  startedAt: string;
  resolved: ResolvedRun;
  iterations: IterationSummary[];
  /** Attempt of the next iteration and the options changed for it. */
  attempt: number;
  changed: Record<string, unknown>;
  paused: boolean;
  stopping: boolean;
  // Of before these stood here, links carry none of them.
  decisions?: RunDecision[];
  /** The recipe's, as raised since. */
  budget?: Budget | undefined;
  wallMs?: number;
}
