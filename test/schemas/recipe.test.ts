import { describe, expect, it } from 'vitest';
import { recipeById, recipeIds } from '../../recipes/index.ts';
import { checkRecipe, defineRecipe, Recipe, stageOrder } from '../../schemas/recipe.ts';

const star = () => structuredClone(recipeById('star') as Recipe);

describe('recipes are graphs whose wires are checked', () => {
  it('every shipped recipe passes its own checks, under its own name', () => {
    for (const id of recipeIds()) {
      const recipe = recipeById(id) as Recipe;
      expect(recipe.id).toBe(id);
      expect(checkRecipe(Recipe.parse(JSON.parse(JSON.stringify(recipe))))).toEqual([]);
    }
  });

  it('wiring unjudged rows into training is a compile error', () => {
    expect(() =>
      defineRecipe({
        id: 'bad',
        source: '',
        stages: {
          batch: { use: 'draw', in: { problems: '$train' } },
          free: { use: 'generate', in: { problems: 'batch', model: '$model' } },
          judged: { use: 'verify', in: { rationales: 'free' } },
          // @ts-expect-error -- judged.unjudged is not of type 'correct'
          kept: { use: 'select', in: { rationales: ['judged.unjudged'] } },
          next: { use: 'fine-tune', in: { examples: 'kept', from: '$base' } },
          score: { use: 'evaluate', in: { model: 'next', dev: '$dev', test: '$test' } },
        },
        carry: { model: 'next' },
        stop: { plateau: 'score.dev.accuracy' },
      }),
    ).toThrow("bad › kept.rationales reads judged.unjudged; needs 'correct'. Did you mean judged.correct?");
  });

  const broken: [string, (recipe: Recipe) => void, string, RegExp][] = [
    [
      'a test split in training draws',
      (r) => (r.stages.batch!.in.problems = '$test'),
      'stages.batch.in.problems',
      /needs 'train'.*\$train/,
    ],
    [
      'an unknown stage',
      (r) => (r.stages.kept!.in.rationales = ['juged.correct']),
      'stages.kept.in.rationales',
      /does not exist.*judged\.correct/,
    ],
    ['a missing input', (r) => delete r.stages.free!.in.model, 'stages.free.in.model', /not connected/],
    [
      'an input that is none',
      (r) => (r.stages.free!.in.teacher = '$base'),
      'stages.free.in.teacher',
      /has no input teacher/,
    ],
    ['a list where one is due', (r) => (r.stages.next!.in.from = ['$base']), 'stages.next.in.from', /not a list/],
    ['an unknown option', (r) => (r.stages.free!.with = { temprature: 1 }), 'stages.free.with', /Unrecognized key/],
    [
      'an option out of range',
      (r) => (r.stages.free!.with = { temperature: -1 }),
      'stages.free.with.temperature',
      /Too small/,
    ],
    ['a carried thing that is no model', (r) => (r.carry.model = 'kept'), 'carry.model', /needs 'model'/],
    ['a circle', (r) => (r.stages.free!.in.model = 'next'), 'stages', /circle/],
    ['a stop rule without evaluation', (r) => (r.stop.plateau = 'next.dev.accuracy'), 'stop.plateau', /evaluate/],
  ];
  it.each(broken)('refuses %s and names the field', (_, damage, field, message) => {
    const recipe = star();
    damage(recipe);
    const problem = checkRecipe(recipe).find((one) => one.field === field);
    expect(problem?.message).toMatch(message);
  });

  it('no stop rule can read the test split', () => {
    const recipe = { ...star(), stop: { plateau: 'score.test.accuracy' } };
    expect(Recipe.safeParse(recipe).success).toBe(false);
  });

  it('orders stages after what they read', () => {
    expect(stageOrder(star())).toEqual(['batch', 'free', 'judged', 'hinted', 'second', 'kept', 'next', 'score']);
  });
});
