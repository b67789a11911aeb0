import { describe, expect, it } from 'vitest';
import { advantagesOf } from '../../activities/policy.ts';
import { recipeById } from '../../recipes/index.ts';
import type { Recipe } from '../../schemas/recipe.ts';
import { checkObjectives } from '../../schemas/recipe-options.ts';

describe('advantages of a group', () => {
  it('of REINFORCE are the rewards, or less the mean of the others', () => {
    expect(advantagesOf([1, 0, 0, 1], { objective: 'reinforce' })).toEqual([1, 0, 0, 1]);
    const others = advantagesOf([1, 0, 0, 1], { objective: 'reinforce', baseline: 'others' });
    for (const [n, expected] of [2 / 3, -2 / 3, -2 / 3, 2 / 3].entries()) expect(others[n]).toBeCloseTo(expected, 12);
    // Alone there is nothing to hold it against; all alike there is nothing to learn.
    expect(advantagesOf([1], { objective: 'reinforce', baseline: 'others' })).toEqual([1]);
    expect(advantagesOf([1, 1, 1], { objective: 'reinforce', baseline: 'others' })).toEqual([0, 0, 0]);
  });

  it('of GRPO have mean 0 and deviation 1; a group that is all one says nothing', () => {
    expect(advantagesOf([1, 0, 0, 1], { objective: 'grpo' })).toEqual([1, -1, -1, 1]);
    const rare = advantagesOf([1, 0, 0, 0, 0], { objective: 'grpo' });
    expect(rare.reduce((sum, one) => sum + one, 0)).toBeCloseTo(0, 12);
    expect(rare.reduce((sum, one) => sum + one ** 2, 0) / 5).toBeCloseTo(1, 12);
    expect(rare[0]).toBeCloseTo(2, 12);
    expect(advantagesOf([0, 0], { objective: 'grpo' })).toEqual([0, 0]);
    expect(advantagesOf([1], { objective: 'grpo' })).toEqual([0]);
  });
});

describe('an objective', () => {
  const changed = (change: (next: Recipe['stages'][string]) => void, id = 'rl-star') => {
    const recipe = structuredClone(recipeById(id) as Recipe);
    change(recipe.stages.next!);
    return checkObjectives(recipe);
  };

  it('of the recipes that ship has what it reads', () => {
    for (const id of ['star', 'rl-star', 'v-star', 'rft']) expect(changed(() => undefined, id)).toEqual([]);
  });

  it.each([
    [
      'grpo without its sampler',
      'rl-star',
      (next) => delete next.in.sampler,
      'in.sampler',
      /needs sampler; wire it to/,
    ],
    ['without samples', 'rl-star', (next) => delete next.in.samples, 'in.samples', /a 'reward' stage/],
    ['held to nothing', 'rl-star', (next) => (next.with!.kl = 0.1), 'in.reference', /\$base/],
    ['beside seeds', 'rl-star', (next) => (next.in.seeds = '$seeds'), 'in.seeds', /seeds have none/],
    [
      'grpo with a baseline',
      'rl-star',
      (next) => (next.with!.baseline = 'others'),
      'with.baseline',
      /grpo has no baseline/,
    ],
    ['none, and samples', 'rl-star', (next) => delete next.with!.objective, 'in.samples', /give next the objective/],
    ['none, and a clip', 'star', (next) => (next.with = { clip: 0.2 }), 'with.clip', /give next the objective/],
  ] as [string, string, (next: Recipe['stages'][string]) => void, string, RegExp][])(
    '%s is refused, field and cure named',
    (_, id, change, field, message) => {
      const found = changed(change, id).find((problem) => problem.field === `stages.next.${field}`);
      expect(found?.message).toMatch(message);
    },
  );
});
