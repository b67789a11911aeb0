/** What a run of quiet-star and its controls comes to before it starts. */
import { describe, expect, it } from 'vitest';
import { checkEngine } from '../../activities/check-engine.ts';
import { planRun } from '../../activities/resolve.ts';
import { controlIds, recipeById, recipeIds } from '../../recipes/index.ts';
import { RunInput } from '../../schemas/run.ts';
import { taskById, taskIds } from '../../tasks/index.ts';

const plan = (recipe: string, task: string) =>
  planRun(
    {
      recipe: recipeById,
      recipeIds: [...recipeIds(), ...controlIds()],
      task: taskById,
      taskIds: taskIds(),
      engineNames: ['tfjs'],
      defaultEngine: 'tfjs',
    },
    RunInput.parse({ recipe, task }),
  );

describe('a run of quiet-star', () => {
  it.each([
    ['quiet-star', 'sampled'],
    ['quiet-star-pause', 'pause'],
    ['quiet-star-silent', 'none'],
  ])('%s trains one iteration, and differs from the others by its thoughts alone', (id, thoughts) => {
    const { filled } = plan(id, 'hidden-steps');
    expect(filled.iterations).toBe(1);
    const whole = plan('quiet-star', 'hidden-steps').filled.recipe;
    expect(filled.recipe.stages.next!.with).toEqual({ ...whole.stages.next!.with, thoughts });
    expect({ ...filled.recipe.stages, next: null }).toEqual({ ...whole.stages, next: null });
  });

  it('is refused on a task whose text has no kinds', () => {
    expect(() => plan('quiet-star', 'addition')).toThrow(/does not say of which kinds its text is \(parts\)/);
  });

  it('is refused on an engine that cannot think, or cannot say what parts cost', () => {
    const { recipe } = plan('quiet-star', 'hidden-steps').filled;
    const costs = () => Promise.resolve([]);
    expect(checkEngine('e', { learns: ['quiet'], costs }, recipe)).toEqual([]);
    expect(checkEngine('e', { learns: [], costs }, recipe)[0]?.message).toMatch(/does not learn thoughts/);
    expect(checkEngine('e', { learns: ['quiet'] }, recipe)[0]?.message).toMatch(/what parts of a text cost/);
    const silent = plan('quiet-star-silent', 'hidden-steps').filled.recipe;
    expect(checkEngine('e', { costs }, silent)).toEqual([]);
  });
});
