/** Which rows of the paper's table a task has, what each run is asked for, and under which id. */
import { describe, expect, it } from 'vitest';
import { CliError } from '../../cli/exit.ts';
import { checkSame, endedBadly, paperName, paperRows, rowId, rowInput } from '../../cli/paper-rows.ts';
import type { PaperOptions } from '../../cli/paper-rows.ts';
import { names, recipeById } from '../../cli/registry.ts';
import { PUBLISHED, publishedOf } from '../../report/published.ts';
import type { Recipe } from '../../schemas/recipe.ts';
import { RunId, RunStatus } from '../../schemas/run.ts';
import { taskById } from '../../tasks/index.ts';
import type { Task } from '../../tasks/task.ts';

const task = (id: string) => taskById(id) as Task;
const rowsOf = (id: string, model?: string) => paperRows(task(id), model);
const present = (id: string, model?: string) =>
  rowsOf(id, model)
    .filter(({ lacks }) => lacks === null)
    .map(({ recipe }) => recipe);
function inputOf(recipe: string, id: string, options: PaperOptions) {
  const recipes = present(id, options.model).map((each) => recipeById(each) as Recipe);
  return rowInput(recipeById(recipe) as Recipe, recipes, task(id), options, names());
}

describe('the rows', () => {
  const FIVE = ['few-shot-direct', 'few-shot-cot', 'direct-fine-tune', 'star-without-hints', 'star'];

  it.each(['gsm8k', 'commonsenseqa', 'medqa', 'math', 'legalbench', 'three-sum', 'word-count'])(
    'of %s on a pretrained model are those of the paper, in its order',
    (id) => {
      expect(present(id, 'tiny')).toEqual(FIVE);
      expect(rowsOf(id, 'tiny')).toHaveLength(5);
    },
  );

  it('of addition are those it can have, with the control in the place of a few-shot base; the others say what they lack', () => {
    expect(present('addition')).toEqual(['seeds-only', 'star-without-hints', 'star']);
    const lacks = Object.fromEntries(rowsOf('addition').map((row) => [row.recipe, row.lacks]));
    expect(lacks['few-shot-cot']).toContain('--model <name>');
    expect(lacks['direct-fine-tune']).toContain('prompt.direct');
    expect(present('addition', 'tiny'), 'addition has no worked examples for any model').toEqual(present('addition'));
  });

  it('each names a recipe that ships', () => {
    for (const { recipe } of [...rowsOf('addition'), ...rowsOf('gsm8k', 'tiny')])
      expect(recipeById(recipe), recipe).toBeDefined();
  });
});

describe('what a row is asked for', () => {
  it('is of the seed, the model and, where it trains, the iterations that were asked for', () => {
    const options = { model: 'tiny', seed: 4, iterations: 2 };
    expect(inputOf('star', 'three-sum', options)).toMatchObject({
      ...options,
      recipe: 'star',
      task: 'three-sum',
      onFailure: 'fail',
    });
    expect(inputOf('few-shot-cot', 'three-sum', options)).toMatchObject({ model: 'tiny', seed: 4 });
    expect(inputOf('few-shot-cot', 'three-sum', options).iterations).toBeUndefined();
  });

  it('has the limit on what it draws and what it is asked; --set goes over it', () => {
    expect(inputOf('star', 'three-sum', { model: 'tiny', limit: 9, set: [['heldOut.test', 30]] }).set).toEqual({
      'stages.batch.with.count': 9,
      'heldOut.dev': 9,
      'heldOut.test': 30,
    });
    expect(inputOf('few-shot-cot', 'three-sum', { model: 'tiny', limit: 9 }).set).toEqual({
      'heldOut.dev': 9,
      'heldOut.test': 9,
    });
    expect(inputOf('star', 'three-sum', { model: 'tiny' }).set, "the task's own sizes").toEqual({});
    expect(inputOf('few-shot-cot', 'gsm8k', { model: 'tiny' }).set, 'published files').toHaveProperty('heldOut.test');
  });

  it('carries the options of stages it has, and those of no row at all, to be refused by name', () => {
    const set: [string, unknown][] = [
      ['stages.free.with.temperature', 0.7],
      ['stages.next.with.learningRate', 1e-4],
      ['stages.fre.with.samples', 2],
      ['parameters.heldOut', 12],
      ['stop.patience', 2],
    ];
    const of = (recipe: string) => inputOf(recipe, 'three-sum', { model: 'tiny', set });
    expect(Object.keys(of('star').set).sort()).toEqual([
      'stages.fre.with.samples',
      'stages.free.with.temperature',
      'stages.next.with.learningRate',
      'stop.patience',
    ]);
    expect(of('direct-fine-tune').set).not.toHaveProperty(['stages.free.with.temperature']);
    expect(of('direct-fine-tune').set).toHaveProperty(['stages.next.with.learningRate']);
    expect(of('few-shot-cot').set).not.toHaveProperty(['stages.next.with.learningRate']);
    expect(of('few-shot-cot').parameters).toEqual({ heldOut: 12 });
  });
});

describe('run ids', () => {
  it('are the same for the same call, other for another task, model, seed or size, and valid for any length', () => {
    const of = (id: string, options: PaperOptions) => rowId(paperName(task(id), options), 'star-without-hints', 1);
    const calls: [string, PaperOptions][] = [
      ['three-sum', { model: 'tiny' }],
      ['word-count', { model: 'tiny' }],
      ['three-sum', { model: 'other' }],
      ['three-sum', { model: 'tiny', seed: 2 }],
      ['three-sum', { model: 'tiny', iterations: 2 }],
      ['three-sum', { model: 'tiny', limit: 2 }],
      ['three-sum', { model: 'tiny', name: 'mine' }],
    ];
    const ids = calls.map(([id, options]) => of(id, options));
    expect(new Set(ids).size).toBe(calls.length);
    expect(calls.map(([id, options]) => of(id, options))).toEqual(ids);
    for (const id of [...ids, of('three-sum', { model: 'a/b c'.repeat(60) }), rowId('x'.repeat(100), 'star', 99)])
      expect(RunId.safeParse(id).success, id).toBe(true);
    expect(ids[0]).toBe('paper-three-sum-tiny-s1-star-without-hints');
    expect(rowId('mine', 'star', 2)).toBe('mine-star-2');
  });

  it('go on to the next attempt after an end that was not good, and only then', () => {
    const status = (one: RunStatus) => endedBadly({ status: one } as never);
    expect(RunStatus.options.filter(status)).toEqual(['failed', 'stopped', 'cancelled', 'terminated']);
  });

  it('stand for the options they were made with; others are refused with what differs and a way out', () => {
    const run = { runId: 'r', input: inputOf('star', 'three-sum', { model: 'tiny', limit: 5 }) };
    checkSame(run, inputOf('star', 'three-sum', { model: 'tiny', limit: 5 }));
    checkSame({ ...run, input: { ...run.input, onFailure: 'wait' } }, run.input);
    const other = inputOf('star', 'three-sum', { model: 'tiny', limit: 6, set: [['parameters.heldOut', 3]] });
    let error: unknown;
    try {
      checkSame(run, other);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(CliError);
    expect(error).toMatchObject({ exit: 2, code: 'RunDiffers' });
    const { message } = error as CliError;
    expect(message).toContain('set stages.batch.with.count is 5 there, 6 here');
    expect(message).toContain('parameters.heldOut is absent there, 3 here');
    expect(message).toContain('--name');
  });
});

describe('the published numbers', () => {
  it('stand beside the recipes that repeat them, one each, with their place in the paper', () => {
    for (const [id, { source, rows }] of Object.entries(PUBLISHED)) {
      const known = rows.flatMap(({ recipe }) => recipe ?? []);
      expect(new Set(known).size, id).toBe(known.length);
      const listed = rowsOf(id, 'tiny').map(({ recipe }) => recipe);
      expect(known.filter((recipe) => !listed.includes(recipe))).toEqual([]);
      expect(source).toMatch(/^arXiv:2203\.14465 §4\.\d, (table [12]|in the text): /);
    }
    const column = (id: string) =>
      rowsOf(id, 'tiny').map(({ recipe }) => {
        const row = publishedOf(id, recipe);
        return [row?.accuracy, row?.used];
      });
    expect(column('commonsenseqa')).toEqual([
      [20.9, null],
      [36.6, null],
      [60, 100],
      [68.8, 69.7],
      [72.5, 86.7],
    ]);
    expect(column('gsm8k')).toEqual([
      [3, null],
      [3.1, null],
      [5.8, 100],
      [10.1, 25],
      [10.7, 28.7],
    ]);
    expect(publishedOf('three-sum', 'star')).toBeUndefined();
  });
});
