/**
 * Checks a run input as the worker's `resolve` would, before anything is started: names, parameters, options, sizes. What is
 * wrong is told here with exit 2; a run that is started from elsewhere is told by the workflow, by the same function.
 */
import { ApplicationFailure } from '@temporalio/common';
import { modelOf, planRun } from '../activities/resolve.ts';
import type { Plan } from '../activities/resolve.ts';
import { openModels } from '../engine/models.ts';
import { recipeById, recipeIds } from '../recipes/index.ts';
import type { RunInput } from '../schemas/run.ts';
import { taskById, taskIds } from '../tasks/index.ts';
import { settings } from '../temporal.config.ts';
import { CliError, EXIT } from './exit.ts';

/** Runs a check of the worker's here; its InvalidInput becomes exit 2. */
export async function asInput<T>(check: () => T | Promise<T>): Promise<T> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof ApplicationFailure) || error.type !== 'InvalidInput') throw error;
    throw new CliError(EXIT.input, 'InvalidInput', error.message, error.details?.[0] ?? null);
  }
}

/** Throws InvalidInput (exit 2) with every field that is wrong. */
export const planInput = (input: RunInput): Promise<Plan> =>
  asInput(async () =>
    planRun(
      {
        recipe: recipeById,
        recipeIds: recipeIds(),
        task: taskById,
        taskIds: taskIds(),
        engineNames: Object.keys(settings.engines),
        defaultEngine: settings.defaultEngine,
      },
      input,
      await modelOf({ models: await openModels(settings.models) }, input),
    ),
  );
