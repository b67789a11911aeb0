/**
 * What every task must hold, whatever its domain. A file dropped into `tasks/` is tried here without being named.
 */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { openTokenizer } from '../../engine/tfjs/tokenizer.ts';
import { Problem } from '../../schemas/problem.ts';
import type { Recipe } from '../../schemas/recipe.ts';
import { TaskDefaults } from '../../schemas/run.ts';
import { STAGES } from '../../schemas/stage.ts';
import { drawProblems } from '../../tasks/draw.ts';
import { implementationDigest } from '../../tasks/implementation.ts';
import { taskById, taskIds } from '../../tasks/index.ts';
import { tokenizerOf } from '../../tasks/task.ts';
import type { Stratum } from '../../tasks/task.ts';
import { judgeSafely } from '../../verifiers/judge.ts';
import { useLean } from '../support/lean.ts';
import { withHandMade } from '../support/dataset-rows.ts';

const missing = useLean();

const RECIPE = {
  id: 'star',
  source: '',
  stages: { hinted: { use: 'rationalize', in: {} } },
  carry: { model: '$model' },
  stop: { plateau: 'score.dev.accuracy', patience: 3, atMost: 16 },
} satisfies Recipe;

const sha = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex');

/** Some problems of a stratum, its first and last among them. */
function sampleOf(stratum: Stratum, count = 40): Problem[] {
  const step = Math.max(1, Math.floor(stratum.size / count));
  const indices = Array.from({ length: Math.min(count, stratum.size) }, (_, i) => i * step);
  return [...indices, stratum.size - 1].map((index) => stratum.at(index));
}

/** Another answer of the same form: its last digit or letter is changed. */
function otherAnswer(gold: string): string {
  const next = (character: string) =>
    character === '9' ? '0' : character === 'z' ? 'a' : character === 'Z' ? 'A' : undefined;
  return gold.replace(
    /[0-9a-z](?=[^0-9a-z]*$)/i,
    (character) => next(character) ?? String.fromCharCode(character.charCodeAt(0) + 1),
  );
}

it('finds the tasks of the folder by their names', () => {
  expect(taskIds()).toContain('addition');
  expect(taskById('no-such-task')).toBeUndefined();
  expect(taskById('splits')).toBeUndefined();
});

// Judged by a program that is not here: STARTRAIL_LEAN says where there is one.
const judged = taskIds().filter((id) => id !== 'lean' || !missing);

describe.each(judged)('task %s', (id) => {
  const listed = taskById(id)!;
  // A task for pretrained models has as many seeds as it is asked for, by default perhaps none.
  const parameters = listed.parameters.parse(listed.tokenizer ? {} : { seeds: 50 });
  const task = listed.dataset ? withHandMade(listed, parameters).task : listed;
  const strata = task.strata(parameters);
  const samples = strata.flatMap((stratum) => sampleOf(stratum));
  const judge = (problem: Problem, text: string) => judgeSafely(() => task.judge(problem, text), { timeoutMs: 10_000 });

  it('has its name as id, and parameters that refuse unknown keys', () => {
    expect(task.id).toBe(id);
    expect(task.parameters.safeParse({ noSuchParameter: 1 }).success).toBe(false);
  });

  it('gives well-formed problems: a stratum reaches each by number, ids differ, strata are those it declares', () => {
    expect(strata.length).toBeGreaterThan(0);
    expect(new Set(strata.map((stratum) => stratum.id)).size).toBe(strata.length);
    for (const stratum of strata) {
      const some = sampleOf(stratum, 500);
      for (const problem of some) {
        expect(Problem.parse(problem)).toEqual(problem);
        expect(problem.stratum).toBe(stratum.id);
      }
      expect(new Set(some.map((problem) => problem.id)).size).toBe(new Set(some.map((problem) => sha(problem))).size);
      expect(sha(stratum.at(0))).toBe(sha(stratum.at(0)));
    }
  });

  it('accepts the gold completion of every stratum, and its step checker finds it sound', async () => {
    for (const problem of samples) {
      const gold = task.goldCompletion(problem);
      expect(await judge(problem, gold)).toEqual({ verdict: 'correct' });
      expect(problem.gold).toContain(task.parse(gold));
      if (task.checkSteps) expect(task.checkSteps(problem, gold)).toEqual({ sound: true, firstWrongStep: null });
    }
  });

  it('rejects a gold completion whose answer was changed, the empty one, and one cut off before the answer', async () => {
    for (const problem of samples) {
      const gold = task.goldCompletion(problem);
      const answer = task.parse(gold)!;
      const at = gold.lastIndexOf(answer);
      // "The answer is river bank (b)": it is stated before its letter.
      const stated = gold.lastIndexOf('the answer is');
      const changed = gold.slice(0, at) + otherAnswer(answer) + gold.slice(at + answer.length);
      expect(changed).not.toBe(gold);
      // Another proof may be a proof; one without its last step is none.
      const wrong = task.id === 'lean' ? [gold.slice(0, Math.max(0, gold.lastIndexOf('\n')))] : [changed];
      for (const text of [...wrong, '', gold.slice(0, stated < 0 ? at : stated)]) {
        expect(await judge(problem, text)).toMatchObject({ verdict: 'incorrect' });
        if (task.checkSteps) expect(task.checkSteps(problem, text).sound).toBe(false);
      }
    }
  });

  it('shows the answer in the hinted prompt only', () => {
    for (const problem of samples) {
      const free = task.prompt.free(problem);
      const hinted = task.prompt.hinted(problem);
      expect(hinted).not.toBe(free);
      // A mark on the right choice shows it too.
      if (!Array.isArray(problem.data.choices))
        expect(hinted.split(problem.gold[0]!).length).toBeGreaterThan(free.split(problem.gold[0]!).length);
      // The free prompt can't depend on the answer: another gold leaves it as it is. The hinted one does.
      const other = { ...problem, gold: ['?'] };
      expect(task.prompt.free(other)).toBe(free);
      expect(task.prompt.hinted(other)).not.toBe(hinted);
    }
  });

  it('gives the same bytes for the same seed, and others for another seed', () => {
    const draw = (seed: string) => sha(drawProblems(task, parameters, { count: 500, seed }));
    const seeds = (seed: string) => sha(task.seeds(parameters, seed));
    // Published files need hold no human rationales.
    for (const make of task.seeds(parameters, '0a').length > 0 ? [draw, seeds] : [draw]) {
      expect(make('0a')).toBe(make('0a'));
      expect(make('0a')).not.toBe(make('0b'));
    }
    expect(sha(task.heldOut('dev', parameters))).toBe(sha(task.heldOut('dev', parameters)));
  });

  it('I11: no identity stands on two sides; draws and seeds come from train, held-out problems from their side', () => {
    const dev = task.heldOut('dev', parameters);
    const test = task.heldOut('test', parameters);
    const held = new Set([...dev, ...test].map((problem) => problem.identity));
    // One problem for each identity, and none on both sides.
    expect(held.size).toBe(dev.length + test.length);
    for (const problem of dev) expect(task.split(problem, parameters)).toBe('dev');
    for (const problem of test) expect(task.split(problem, parameters)).toBe('test');
    const training = [
      ...drawProblems(task, parameters, { count: 5000, seed: 'ff' }),
      ...task.seeds(parameters, 'ff').map((triple) => triple.problem),
    ];
    expect(training.length).toBeGreaterThan(0);
    for (const problem of training) {
      expect(task.split(problem, parameters)).toBe('train');
      expect(held.has(problem.identity)).toBe(false);
    }
  });

  it('holds out something of every stratum', () => {
    for (const side of ['dev', 'test'] as const) {
      const found = new Set(task.heldOut(side, parameters).map((problem) => problem.stratum));
      expect([...found].sort()).toEqual(strata.map((stratum) => stratum.id).sort());
    }
  });

  it('has seeds that are right and sound, each problem once; or says that they err, and some do and some do not', async () => {
    const seeds = task.seeds(parameters, '01');
    expect(new Set(seeds.map((triple) => triple.problem.id)).size).toBe(seeds.length);
    if (task.seedsErr) {
      const judged = seeds.map(({ problem, rationale }) => task.checkSteps!(problem, rationale).sound);
      expect(new Set(judged)).toEqual(new Set([true, false]));
      for (const { rationale } of seeds) expect(task.parse(rationale)).not.toBeNull();
      return;
    }
    for (const { problem, rationale } of seeds) {
      expect(await judge(problem, rationale)).toEqual({ verdict: 'correct' });
      if (task.checkSteps) expect(task.checkSteps(problem, rationale).sound).toBe(true);
    }
  });

  it('proposes defaults that the stages accept', () => {
    const defaults = TaskDefaults.parse(task.defaults(RECIPE, parameters));
    for (const [kind, options] of Object.entries(defaults.stages))
      expect(STAGES[kind as keyof typeof STAGES].options.safeParse(options).error).toBeUndefined();
  });

  it('fits prompts and right completions into tokenizer, token limit and context', () => {
    const { model } = TaskDefaults.parse(task.defaults(RECIPE, parameters));
    if (!task.tokenizer || !model) return; // no model is made from scratch: the limits are those of an imported one
    const tokenizer = openTokenizer(tokenizerOf(task, parameters));
    expect(task.check?.(parameters, { contextTokens: model.context }) ?? []).toEqual([]);
    for (const problem of samples) {
      const completion = tokenizer.encode(task.goldCompletion(problem));
      expect(tokenizer.decode(completion)).toBe(task.goldCompletion(problem));
      const limit = task.maxNewTokens(problem);
      expect(completion.length + 1).toBeLessThanOrEqual(limit);
      for (const prompt of [task.prompt.free(problem), task.prompt.hinted(problem)])
        expect(tokenizer.encode(prompt).length + limit).toBeLessThanOrEqual(model.context);
    }
  });

  it('cuts what it parses where it asks sampling to stop', () => {
    for (const problem of samples.slice(0, 5))
      for (const stop of task.stop ?? []) {
        const gold = task.goldCompletion(problem);
        expect(task.parse(gold + stop + otherAnswer(gold))).toBe(task.parse(gold));
      }
  });

  it('shows examples that are answered as it asks for, hinted as the prompts are, and none that is a row', async () => {
    const { shots } = task.prompt;
    if (!shots) return;
    const [free, hinted] = [shots('free', parameters), shots('hinted', parameters)];
    expect(free.length).toBeGreaterThan(0);
    expect(hinted).not.toBe(free);
    for (const text of [free, hinted]) {
      const examples = text.split(task.stop![0]!).filter(Boolean);
      expect(examples.length).toBeGreaterThanOrEqual(4);
      for (const example of examples) expect(task.parse(example.slice(example.indexOf('\nA:') + 3))).not.toBeNull();
    }
    if (listed.dataset) expect(withHandMade(listed, parameters).counts.shots).toBe(0);
  });

  it('asks for an answer at once in a form that its own parse and verifier read, without steps', async () => {
    const { direct, shots } = task.prompt;
    if (!direct) return;
    for (const problem of samples) {
      const answer = direct.completion(problem);
      expect(problem.gold).toContain(task.parse(answer, problem));
      expect(await judge(problem, answer)).toEqual({ verdict: 'correct' });
      expect(answer.length).toBeLessThan(task.goldCompletion(problem).length);
      const read = problem.gold.find((form) => answer.includes(form)) ?? problem.gold[0]!;
      const at = answer.lastIndexOf(read);
      const changed = answer.slice(0, at) + otherAnswer(read) + answer.slice(at + read.length);
      expect(await judge(problem, changed)).toMatchObject({ verdict: 'incorrect' });
    }
    const [short, long] = [direct.shots(parameters), shots!('free', parameters)];
    const [answers, rationales] = [short, long].map((text) => text.split(task.stop![0]!).filter(Boolean));
    expect(answers).toHaveLength(rationales!.length);
    // The same questions, the same answers, nothing between them.
    for (const [index, one] of answers!.entries()) {
      const [asked, answer] = [one.slice(0, one.indexOf('\nA:') + 3), one.slice(one.indexOf('\nA:') + 3)];
      expect(rationales![index]!.startsWith(asked)).toBe(true);
      expect(task.parse(answer)).toBe(task.parse(rationales![index]!.slice(asked.length)));
      expect(one.length).toBeLessThan(rationales![index]!.length);
    }
  });

  it('has an implementation digest', async () => {
    expect(await implementationDigest(task)).toMatch(/^sha256:[0-9a-f]{64}$/);
  });
});
