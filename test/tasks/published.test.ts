/**
 * The published data sets themselves: every row is read, every gold answer is accepted by its task's own verifier, and one
 * that was changed is rejected. They are no part of the project: without them this is skipped.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Problem } from '../../schemas/problem.ts';
import { problemsOf, withRows } from '../../tasks/dataset.ts';
import { taskById } from '../../tasks/index.ts';
import { QUESTIONS } from '../../tasks/legalbench-questions.ts';
import type { Choice } from '../../verifiers/choice.ts';

/** Beside the checkout, or beside the main one where this is a worktree of it. */
const folder = ['../../../shared/data', '../../../../shared/data']
  .map((place) => fileURLToPath(new URL(place, import.meta.url)))
  .find((place) => existsSync(path.join(place, 'gsm8k/test.jsonl')));

const asked: [string, Record<string, unknown>][] = [
  ['gsm8k', {}],
  ['commonsenseqa', {}],
  ['medqa', {}],
  ['math', {}],
  ['math', { set: 'aime24' }],
  ...Object.keys(QUESTIONS).map((task): [string, Record<string, unknown>] => ['legalbench', { task }]),
];

const rowsIn = (file: string): unknown[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as unknown);

/** Completions that state another answer than the gold one. */
function mutants(id: string, problem: Problem, gold: string): string[] {
  const answer = problem.gold[0]!;
  if (id === 'gsm8k') return [gold.replace(/#### .*/, `#### ${answer}1`), gold.replace(/#### .*/, `#### 1${answer}`)];
  // The first digit: the last one may be a unit's, which is not compared.
  if (id === 'math') {
    const other = answer.replace(/\d/, (digit) => String((Number(digit) + 1) % 10));
    return other === answer ? [] : [`The answer is $\\boxed{${other}}$.`];
  }
  if (problem.data.choices)
    return (problem.data.choices as Choice[])
      .filter(({ label, text }) => label !== answer && text !== problem.gold[1])
      .map(({ label, text }) => `The answer is ${text} (${label}).`);
  const { task } = problem.data as { task: string };
  return ['Yes', 'No', 'generic', 'descriptive', 'suggestive', 'arbitrary', 'fanciful']
    .filter((label) => label !== answer)
    .map((label) => `${task}. The answer is ${label}.`);
}

describe.skipIf(folder === undefined)('published data sets (skipped where ../shared/data is absent)', () => {
  it.each(asked)(
    '%s %o: all rows are read, gold is accepted, changed gold rejected, no example is a row',
    async (id, set) => {
      const task = taskById(id)!;
      const parameters: unknown = task.parameters.parse(set);
      const files = new Map<string, unknown[]>();
      for (const { path: name } of task.dataset!.files(parameters))
        if (existsSync(path.join(folder!, name))) files.set(name, rowsIn(path.join(folder!, name)));
      const { problems, counts } = problemsOf(task.dataset!, parameters, files);
      expect(counts.train + counts.dev + counts.test + counts.duplicates + counts.contaminated).toBe(counts.rows);
      expect(counts.shots).toBe(0);
      const refused: string[] = [];
      const accepted: string[] = [];
      let changed = 0;
      for (const problem of problems) {
        const gold = task.goldCompletion(problem);
        if ((await task.judge(problem, gold)).verdict !== 'correct') refused.push(`${problem.id}: ${gold}`);
        for (const text of mutants(id, problem, gold)) {
          changed++;
          if ((await task.judge(problem, text)).verdict === 'correct') accepted.push(`${problem.id}: ${text}`);
        }
      }
      console.info(
        id,
        JSON.stringify({
          ...set,
          ...counts,
          goldAccepted: problems.length - refused.length,
          changedRejected: changed - accepted.length,
        }),
      );
      expect(refused.slice(0, 10)).toEqual([]);
      expect(accepted.slice(0, 10)).toEqual([]);
      const own = withRows(task, problems);
      const sides = (['dev', 'test'] as const).map(
        (side) => new Set(own.heldOut(side, parameters).map((one) => one.identity)),
      );
      for (const problem of problems)
        if (problem.data.side === 'train') for (const side of sides) expect(side.has(problem.identity)).toBe(false);
    },
    120_000,
  );
});
