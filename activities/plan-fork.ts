/**
 * What a fork will run: the options its origin was resolved to (never today's defaults), changed by `set`. Everything that can
 * be known without an engine; the command line asks the same before it starts anything.
 */
import type { Recipe } from '../schemas/recipe.ts';
import type { IterationRecord, ResolvedRun, RunDocument, RunInput } from '../schemas/run.ts';
import { shapeOf } from '../schemas/port-values.ts';
import { canonicalJson } from '../schemas/canonical.ts';
import type { FieldProblem } from './failures.ts';
import { invalidInput } from './failures.ts';
import { fillOptions } from './options.ts';
import type { Filled } from './options.ts';
import { checkFilled } from './resolve.ts';

export type ForkInput = RunInput & { fork: NonNullable<RunInput['fork']> };
export interface ForkPlan {
  filled: Filled;
  /** Iterations 0 … from−1. */
  shared: IterationRecord[];
}

/** What iteration 0 was made with: a fork shares that iteration. */
const SHARED = /^(base|model|parameters|heldOut)(\.|$)/;

/** Throws InvalidInput with every field that contradicts what is shared. Pure. */
export function planFork(origin: RunDocument & { resolved: ResolvedRun }, input: ForkInput): ForkPlan {
  const { resolved, runId } = origin;
  const { from } = input.fork;
  const problems: FieldProblem[] = [];
  const kept = (field: string, found: unknown, expected: unknown) => {
    if (canonicalJson(found) !== canonicalJson(expected))
      problems.push({
        field,
        message: `a fork keeps the ${field} of its origin: run "${runId}" has ${canonicalJson(expected)}, found ${canonicalJson(found)}`,
      });
  };
  kept('recipe', typeof input.recipe === 'string' ? input.recipe : input.recipe.id, resolved.recipe.id);
  kept('task', input.task, resolved.context.task);
  kept('seed', input.seed, resolved.context.seed);
  if (input.gate !== undefined) kept('gate', input.gate, resolved.context.gate ?? false);
  if (Object.keys(input.parameters).length > 0) kept('parameters', input.parameters, resolved.context.parameters);
  const sealed = origin.iterations.length;
  if (from > sealed)
    problems.push({
      field: 'fork.from',
      message: `run "${runId}" has ${sealed === 0 ? 'no sealed iteration' : `sealed iterations 0 to ${sealed - 1}`}; expected 1 to ${sealed}, found ${from}`,
    });
  for (const path of Object.keys(input.set).filter((one) => SHARED.test(one)))
    problems.push({
      field: `set.${path}`,
      message: `iteration 0 was made with it, and a fork shares that with "${runId}"; start a new run instead`,
    });
  const { vocabSize: _, ...model } = shapeOf(resolved.fresh);
  const options = fillOptions({
    recipe: resolved.recipe,
    defaults: { model, base: baseOptions(resolved.prepare), heldOut: resolved.context.heldOut },
    iterations: input.iterations ?? resolved.iterations,
    shardSize: input.shardSize ?? resolved.shardSize,
    set: Object.fromEntries(Object.entries(input.set).filter(([path]) => !SHARED.test(path))),
  });
  problems.push(...options.problems, ...(options.filled ? checkFilled(options.filled) : []));
  if (!options.filled || problems.length > 0) throw invalidInput(problems);
  return { filled: options.filled, shared: origin.iterations.slice(0, from) };
}

const baseOptions = (prepare: Recipe): Record<string, unknown> =>
  Object.values(prepare.stages).find((stage) => stage.use === 'fine-tune')?.with ?? {};
