import { describe, expect, it } from 'vitest';
import { checkEngine, checkTools } from '../../activities/check-engine.ts';
import { OBJECTIVES } from '../../engine/engine.ts';
import { recipeById } from '../../recipes/index.ts';
import type { Recipe } from '../../schemas/recipe.ts';
import addition from '../../tasks/addition.ts';
import products from '../../tasks/products.ts';

const recipe = (id: string) => recipeById(id) as Recipe;
const withOptions = (of: Recipe, stage: string, options: object): Recipe => ({
  ...of,
  stages: { ...of.stages, [stage]: { ...of.stages[stage]!, with: { ...of.stages[stage]!.with, ...options } } },
});
const calculator = ['calculator' as const];

describe('tools', () => {
  it('are there for a task with a nudge, on an engine that runs them', () => {
    expect(checkTools(products, recipe('start'), 'tfjs', calculator)).toEqual([]);
    expect(checkTools(addition, recipe('star'), 'server', [])).toEqual([]);
  });

  it('are refused on an engine that runs none, with the way out', () => {
    const [fault, ...more] = checkTools(products, recipe('start'), 'server', []);
    expect(more).toEqual([]);
    expect(fault).toMatchObject({ field: 'engine' });
    expect(fault?.message).toMatch(/engine server runs no calculator .* stage greedy of start .* start-without-tools/);
  });

  it('are refused with a task that has no nudge', () => {
    expect(checkTools(addition, recipe('start'), 'tfjs', calculator)).toEqual([
      { field: 'task', message: expect.stringContaining('task addition has no nudge') as string },
    ]);
  });

  it.each([
    ['v-star', 'sampled', 'prefer'],
    ['rl-star', 'sampled', 'grpo'],
  ])('are refused where %s would learn what they said', (id, stage, what) => {
    const asked = withOptions(recipe(id), stage, { tools: calculator });
    const [fault] = checkTools(products, asked, 'tfjs', calculator);
    expect(fault?.message).toContain(`${what} would learn what tools said`);
  });
});

describe('what an engine learns', () => {
  const able = { score: () => Promise.resolve([]), learns: OBJECTIVES };
  it.each([
    ['v-star', 'does not learn by preferences'],
    ['v-star-reward', 'does not train reward models'],
    ['rl-star', 'does not learn by rewards (grpo)'],
  ])('%s needs more than the likelihood of completions', (id, why) => {
    expect(checkEngine('tfjs', able, recipe(id))).toEqual([]);
    const faults = checkEngine('program', { score: able.score }, recipe(id));
    expect(faults[0]?.message).toContain(`engine program ${why}`);
  });

  it('ranking needs scores', () => {
    expect(checkEngine('server', { learns: OBJECTIVES }, recipe('v-star-reward'))[0]?.message).toContain('best');
    expect(checkEngine('server', {}, recipe('star'))).toEqual([]);
  });
});
