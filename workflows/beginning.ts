/** How a run begins: resolved from its input, or forked from another run; and which graph an iteration runs. */
import type { Model } from '../schemas/checkpoint.ts';
import type { Recipe } from '../schemas/recipe.ts';
import type { IterationSummary, ResolvedRun, RunDecision, RunInput } from '../schemas/run.ts';
import { frame } from './stage-calls.ts';

export interface Beginning {
  resolved: ResolvedRun;
  /** Sealed already: those a fork shares with its origin. */
  iterations: IterationSummary[];
  /** Roll-backs among those, so that the fork decides as its origin did. */
  decisions: RunDecision[];
}

export async function begin(input: RunInput, runId: string): Promise<Beginning> {
  if (!input.fork) {
    const resolved = await frame.resolve.executeWithOptions({ summary: 'look up names, pin digests' }, [input, runId]);
    return { resolved, iterations: [], decisions: [] };
  }
  const shared = await frame.fork.executeWithOptions({ summary: `take over from ${input.fork.run}` }, [input, runId]);
  const decisions = shared.iterations.flatMap(({ n, rolledBackTo: to }): RunDecision[] =>
    to === undefined
      ? []
      : [{ after: n - 1, action: 'roll-back', rule: 'regression', to, reason: `taken by ${input.fork?.run}` }],
  );
  return { ...shared, decisions };
}

/** Iteration 0 makes the base. */
export const graphOf = (resolved: ResolvedRun, n: number): Recipe => (n === 0 ? resolved.prepare : resolved.recipe);

/** Runs of before it stood in what `resolve` returns had two. */
export const shardsInFlightOf = (resolved: ResolvedRun): number => resolved.shardsInFlight ?? 2;

export const baseOf = (iterations: { model: Model }[]): Model | null => iterations[0]?.model ?? null;
