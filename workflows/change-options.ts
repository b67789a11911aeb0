/**
 * Options changed for one iteration (`retryIteration` with `set`): the same paths as `--set`, stages only, each value held
 * against its stage's schema. Throws InvalidInput with the field. Pure.
 */
import { ApplicationFailure } from '@temporalio/common';
import { nearest } from '../schemas/nearest.ts';
import type { Recipe } from '../schemas/recipe.ts';
import { stageRow } from '../schemas/stage.ts';

const refuse = (field: string, message: string) =>
  ApplicationFailure.nonRetryable(`${field}: ${message}`, 'InvalidInput', [{ field, message }]);

export function changeOptions(recipe: Recipe, set: Record<string, unknown>): Recipe {
  let changed = recipe;
  for (const [path, value] of Object.entries(set)) {
    const field = `set.${path}`;
    const known = Object.entries(recipe.stages).flatMap(([name, stage]) =>
      Object.keys(stageRow(stage.use).options.shape).map((option) => `stages.${name}.with.${option}`),
    );
    if (!known.includes(path)) {
      const near = nearest(path, known);
      throw refuse(field, `no such option of a stage${near ? `; did you mean ${near}?` : ''}`);
    }
    const [, name = '', , option = ''] = path.split('.');
    const stage = changed.stages[name] as Recipe['stages'][string];
    const parsed = stageRow(stage.use).options.safeParse({ ...stage.with, [option]: value });
    if (!parsed.success) throw refuse(field, parsed.error.issues.map((issue) => issue.message).join('; '));
    changed = { ...changed, stages: { ...changed.stages, [name]: { ...stage, with: parsed.data } } };
  }
  return changed;
}
