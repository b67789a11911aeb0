import fc from 'fast-check';
import { mkdtempSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { CliError } from '../../cli/exit.ts';
import { chooseRunId, integer, runInput, setting } from '../../cli/input.ts';
import type { RunOptions } from '../../cli/input.ts';
import { planInput } from '../../cli/plan.ts';
import { names } from '../../cli/registry.ts';
import { RunId } from '../../schemas/run.ts';

const read = (name: string, options: RunOptions = {}) => runInput(name, options, names());
function refusal(work: () => unknown): CliError {
  try {
    work();
  } catch (error) {
    if (error instanceof CliError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}
const file = (content: string): string => {
  const place = path.join(mkdtempSync(path.join(os.tmpdir(), 'startrail-input-')), 'input.json');
  writeFileSync(place, content);
  return place;
};

describe('what is asked for', () => {
  test('a recipe takes addition, a task takes star', () => {
    expect(read('seeds-only')).toMatchObject({ recipe: 'seeds-only', task: 'addition', seed: 1, onFailure: 'wait' });
    expect(read('addition')).toMatchObject({ recipe: 'star', task: 'addition' });
  });

  test('names of recipes and tasks never collide', () => {
    const { recipes, tasks } = names();
    expect(recipes.filter((id) => tasks.includes(id))).toEqual([]);
  });

  test.each([
    ['stra', "did you mean 'star'?"],
    ['adition', "did you mean 'addition'?"],
    ['zzzzzzzzzzzzzzzz', 'There are: star'],
  ])('an unknown name %s is refused with the nearest', (name, part) => {
    const error = refusal(() => read(name));
    expect(error).toMatchObject({ exit: 2, code: 'InvalidInput' });
    expect(error.message).toContain(part);
  });

  test('a name and an option that contradict each other are refused', () => {
    expect(refusal(() => read('addition', { task: 'other' })).message).toContain('contradict');
    expect(refusal(() => read('star', { recipe: 'seeds-only' })).message).toContain('contradict');
  });

  test('a file is a run input or a recipe, and options go over it', () => {
    const input = file('{"recipe":"seeds-only","task":"addition","seed":5,"set":{"stop.patience":2}}');
    expect(read(input, { seed: 9, set: [['stop.atMost', 3]] })).toMatchObject({
      recipe: 'seeds-only',
      seed: 9,
      set: { 'stop.patience': 2, 'stop.atMost': 3 },
    });
    expect(read(file('{"id":"mine","stages":{}}'))).toMatchObject({ recipe: { id: 'mine' }, task: 'addition' });
  });

  test.each([
    ['{"recipe":', 'is not JSON'],
    ['[]', 'expected a run'],
    ['{"recipe":"star","task":"addition","seed":1.5}', 'seed'],
    ['{"recipe":"star","task":"addition","sede":1}', 'sede'],
    ['{"recipe":"str","task":"addition"}', "did you mean 'star'"],
  ])('a file with %s is refused by name', (content, part) => {
    const error = refusal(() => read(file(content)));
    expect(error.exit).toBe(2);
    expect(error.message).toContain(part);
  });

  test('a file that is not there is named', () => {
    expect(refusal(() => read('./nothing.json')).message).toContain('nothing.json');
  });

  test('--set goes to the task with "parameters.", else to the recipe', () => {
    const set: [string, unknown][] = [
      ['parameters.digits', 4],
      ['stages.free.with.temperature', 0.7],
    ];
    expect(read('star', { set })).toMatchObject({
      parameters: { digits: 4 },
      set: { 'stages.free.with.temperature': 0.7 },
    });
    expect(refusal(() => read('star', { set: [['a', 1], ['a', 2]] })).message).toContain('twice'); // prettier-ignore
  });

  test('what the worker would refuse is refused before anything starts', async () => {
    const plan = (set: [string, unknown][]) =>
      planInput(read('star', { set })).then(
        () => new Error('it was not refused'),
        (error: Error) => error,
      );
    expect((await plan([['parameters.digits', 40]])).message).toContain('parameters.digits');
    expect((await plan([['stages.fre.with.temperature', 1]])).message).toContain('stages.free.with.temperature');
    expect((await plan([['stages.batch.with.count', 0]])).message).toContain('count');
    expect((await planInput(read('star'))).filled.iterations).toBeGreaterThan(0);
  });
});

describe('options', () => {
  test('an integer is an integer', () => {
    expect(integer(0)('12')).toBe(12);
    for (const text of ['1.5', '', 'x', '1e3', '0x10', '99999999999999999999', '-1'])
      expect(() => integer(0)(text), text).toThrow();
  });

  test('a setting is JSON, else a string', () => {
    expect(setting('a.b=0.7')).toEqual([['a.b', 0.7]]);
    expect(setting('a=linear', [['b', 1]])).toEqual([['b', 1], ['a', 'linear']]); // prettier-ignore
    expect(setting('a=b=c')).toEqual([['a', 'b=c']]);
    expect(setting('a={"first":3}')).toEqual([['a', { first: 3 }]]);
    for (const text of ['', 'a', '=1', 'a..b=1', '.a=1']) expect(() => setting(text), text).toThrow();
  });

  test('the run id has the smallest free number, and is a run id', () => {
    const input = read('star', { seed: 3 });
    expect(chooseRunId(input, [])).toBe('addition-star-s3-1');
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 30 })), (numbers) => {
        const id = chooseRunId(input, numbers.map((n) => `addition-star-s3-${n}`)); // prettier-ignore
        const n = Number(id.split('-').at(-1));
        expect(numbers).not.toContain(n);
        for (let smaller = 1; smaller < n; smaller++) expect(numbers).toContain(smaller);
        expect(RunId.safeParse(id).success).toBe(true);
      }),
    );
  });
});
