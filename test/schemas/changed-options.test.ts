/** Options changed for one iteration are held against the same rules as a new run's. */
import { describe, expect, it } from 'vitest';
import { recipeById } from '../../recipes/index.ts';
import { withOptions } from '../../schemas/changed-options.ts';
import type { Recipe } from '../../schemas/recipe.ts';

const star = recipeById('star') as Recipe;
/** Trains on from what the iteration before made. */
const onward: Recipe = structuredClone(star);
(onward.stages.next as Recipe['stages'][string]).in.from = '$model';

const problemsOf = (recipe: Recipe, set: Record<string, unknown>) => withOptions(recipe, set).problems;

describe('options changed for one iteration', () => {
  it('stand in the changed recipe, whole or by an inner path; the recipe itself stays', () => {
    const { recipe, problems } = withOptions(star, {
      'stages.next.with.adapter': { rank: 4, alpha: 8 },
      'stages.next.with.adapter.rank': 2,
      'stages.next.with.steps.first': 7,
    });
    expect(problems).toEqual([]);
    expect(recipe.stages.next?.with).toMatchObject({ adapter: { rank: 2, alpha: 8 }, steps: { first: 7 } });
    expect(star.stages.next?.with?.adapter).toBeUndefined();
  });

  it('an adapter is refused where the stage does not start from the base, as in a new run', () => {
    const set = { 'stages.next.with.adapter': { rank: 4, alpha: 8 } };
    expect(problemsOf(star, set)).toEqual([]);
    expect(problemsOf(onward, set)).toEqual([
      {
        field: 'set.stages.next.with.adapter',
        message: expect.stringContaining("rests on the run's base, but next.from reads $model") as string,
      },
    ]);
  });

  it('each wrong value is named by its own path, inner ones too', () => {
    const set = {
      'stages.next.with.adapter': { rank: 0 },
      'stages.free.with.temperature': 'warm',
      'stages.free.with.temprature': 1,
    };
    expect(problemsOf(star, set).map(({ field }) => field)).toEqual([
      'set.stages.next.with.adapter.rank',
      'set.stages.next.with.adapter.alpha',
      'set.stages.free.with.temperature',
      'set.stages.free.with.temprature',
    ]);
  });
});
