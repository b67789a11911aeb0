import { describe, expect, it } from 'vitest';
import { CONTROL_TEXTS, controlTextOf } from '../../recipes/control-texts.ts';
import { CONTROLS, controlOf, controlsFor } from '../../recipes/controls.ts';
import { controlIds, recipeById, recipeIds } from '../../recipes/index.ts';
import { checkRecipe, Recipe, stageOrder } from '../../schemas/recipe.ts';

const recipe = (id: string) => recipeById(id) as Recipe;

describe('controls', () => {
  it('of every recipe that ships are recipes that can run, known by name', () => {
    for (const id of controlIds()) {
      expect(recipe(id).id).toBe(id);
      expect(checkRecipe(Recipe.parse(JSON.parse(JSON.stringify(recipe(id))))), id).toEqual([]);
    }
    expect(controlIds()).toHaveLength(new Set(controlIds()).size);
    expect(controlIds().length).toBeGreaterThan(recipeIds().length);
  });

  it('are described, each of them', () => {
    expect(Object.keys(CONTROL_TEXTS).sort()).toEqual([...CONTROLS].sort());
    for (const id of controlIds()) expect(controlTextOf(id), id).toBeDefined();
    expect(controlTextOf('star')).toBeUndefined();
  });

  it('change wires and options alone: what both have keeps its steps, schedule and stop rule', () => {
    for (const id of recipeIds())
      for (const name of controlsFor(recipe(id))) {
        const [whole, control] = [recipe(id), controlOf(recipe(id), name)];
        expect(control.stop).toEqual(whole.stop);
        for (const [stage, { use, with: options }] of Object.entries(control.stages))
          if (use === 'fine-tune') expect(options, `${id} ${name}`).toEqual(whole.stages[stage]?.with);
      }
  });

  it('unfiltered: training reads as many of all samples, and the ledger is judged as before', () => {
    const { stages } = recipe('star-unfiltered');
    expect(stages.any).toEqual({ use: 'unfiltered', in: { rationales: ['free', 'hinted'], like: 'kept' } });
    expect(stages.next?.in.examples).toBe('any');
    expect(stages.kept).toEqual(recipe('star').stages.kept);
    // What later iterations find as kept is unfiltered too.
    const exit = recipe('expert-iteration-unfiltered');
    expect(exit.stages.pool?.in.examples).toEqual(['any', '$kept']);
    expect(exit.carry.kept).toBe('pool');
  });

  it('seeds-only: what is trained on are the seeds; nothing is sampled', () => {
    expect(recipe('star-seeds-only').stages).toEqual(recipe('seeds-only').stages);
    expect(recipe('expert-iteration-seeds-only').carry).toEqual({ model: 'next' });
  });

  it('hint-only: every drawn problem is asked with its answer, and only that is kept', () => {
    const { stages } = recipe('star-hint-only');
    expect(stages.hinted?.in.problems).toBe('batch');
    expect(stages.kept?.in.rationales).toEqual(['second.correct']);
    expect(Object.keys(stages)).not.toContain('free');
  });

  it('shuffled-gold: the draw alone differs', () => {
    const { stages } = recipe('rest-em-shuffled-gold');
    expect(stages.batch?.with).toEqual({ gold: 'shuffled' });
    expect({ ...stages, batch: null }).toEqual({ ...recipe('rest-em').stages, batch: null });
  });

  it('shuffled-labels: of what is learnt by rewards, the rewards; seeds, which have none, are no control of it', () => {
    const { stages } = recipe('rl-star-shuffled-labels');
    expect(stages.samples?.with).toEqual({ labels: 'shuffled' });
    expect({ ...stages, samples: null }).toEqual({ ...recipe('rl-star').stages, samples: null });
    expect(controlsFor(recipe('rl-star'))).toEqual(['shuffled-gold', 'untrained', 'shuffled-labels']);
  });

  it('untrained: the base is evaluated, anew', () => {
    const { stages, carry } = recipe('star-untrained');
    expect(carry.model).toBe('$base');
    expect(stageOrder(recipe('star-untrained'))).toEqual(['score']);
    expect(stages.score).toMatchObject({ in: { model: '$base' }, with: { again: 1 } });
  });

  it('shuffled-labels: of a reward model what it is trained on alone differs', () => {
    const [whole, control] = [recipe('star-sql'), recipe('star-sql-shuffled-labels')];
    expect(control.stages.reward?.with).toEqual({ labels: 'shuffled' });
    expect({ ...control.stages, reward: null }).toEqual({ ...whole.stages, reward: null });
    expect(controlsFor(recipe('star'))).not.toContain('shuffled-labels');
  });

  it('shuffled-labels: the pairs alone differ, and what is ranked or carried stays', () => {
    const [whole, control] = [recipe('v-star'), recipe('v-star-shuffled-labels')];
    expect(control.stages.pairs?.with).toEqual({ labels: 'shuffled' });
    expect({ ...control.stages, pairs: null }).toEqual({ ...whole.stages, pairs: null });
    expect(control.carry).toEqual(whole.carry);
    expect(Object.keys(recipe('v-star-untrained').stages)).toEqual([
      ...['batch', 'sampled', 'judged', 'pairs', 'verifier', 'score', 'best'],
    ]);
    expect(recipe('v-star-untrained').carry).toEqual({ model: '$base', pairs: 'pairs' });
  });

  it('are refused where they would say nothing', () => {
    expect(controlsFor(recipe('rest-em'))).toEqual(
      CONTROLS.filter((name) => !['hint-only', 'shuffled-labels', 'random-tools', 'pause', 'silent'].includes(name)),
    );
    expect(controlsFor(recipe('start'))).toContain('random-tools');
    expect(controlsFor(recipe('start-without-tools'))).not.toContain('random-tools');
    expect(controlsFor(recipe('few-shot-cot'))).toEqual([]);
    expect(() => controlOf(recipe('rest-em'), 'hint-only')).toThrow(
      /rest-em has no control 'hint-only'; it has unfiltered/,
    );
  });
});
