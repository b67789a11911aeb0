/** Options changed for one iteration (`retryIteration` and `starReplay` with `set`). Throws InvalidInput with each field. Pure. */
import { ApplicationFailure } from '@temporalio/common';
import { withOptions } from '../schemas/changed-options.ts';
import type { Recipe } from '../schemas/recipe.ts';

export function changeOptions(recipe: Recipe, set: Record<string, unknown>): Recipe {
  const { recipe: changed, problems } = withOptions(recipe, set);
  if (problems.length === 0) return changed;
  throw ApplicationFailure.nonRetryable(
    problems.map(({ field, message }) => `${field}: ${message}`).join('; '),
    'InvalidInput',
    problems,
  );
}
