/** How a run begins: resolved from its input, or forked from another run; and which graph an iteration runs. */
import type { Model } from '../schemas/checkpoint.ts';
import type { Recipe } from '../schemas/recipe.ts';
import type { IterationSummary, ResolvedRun, RunInput } from '../schemas/run.ts';
import { frame } from './stage-calls.ts';

export interface Beginning {
  resolved: ResolvedRun;
  /** Sealed already: those a fork shares with its origin. */
  iterations: IterationSummary[];
}

export const begin = async (input: RunInput, runId: string): Promise<Beginning> =>
  input.fork ? frame.fork(input, runId) : { resolved: await frame.resolve(input, runId), iterations: [] };

/** Iteration 0 makes the base. */
export const graphOf = (resolved: ResolvedRun, n: number): Recipe => (n === 0 ? resolved.prepare : resolved.recipe);

/** Runs of before it stood in what `resolve` returns had two. */
export const shardsInFlightOf = (resolved: ResolvedRun): number => resolved.shardsInFlight ?? 2;

export const baseOf = (iterations: { model: Model }[]): Model | null => iterations[0]?.model ?? null;
