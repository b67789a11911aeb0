/** Hand-made rows in the layout of the published files, so that tasks over data sets can be tried where there are none. */
import type { Problem } from '../../schemas/problem.ts';
import { problemsOf, withRows } from '../../tasks/dataset.ts';
import type { DatasetCounts } from '../../tasks/dataset.ts';
import type { Task } from '../../tasks/task.ts';

const each = <T>(count: number, make: (n: number) => T): T[] => Array.from({ length: count }, (_, n) => make(n));

const wordProblem = (from: number) => (n: number) => {
  const [a, b] = [from + n, (n % 7) + 2];
  const steps = 1 + (n % 3);
  const lines = [`There are ${a}+${b} = <<${a}+${b}=${a + b}>>${a + b} birds.`];
  for (let more = 1; more < steps; more++) lines.push(`They stay ${a + b}.`);
  return {
    question: `In a park of town ${from + n} there are ${a} birds and ${b} more come. How many are there?`,
    answer: `${lines.join('\n')}\n#### ${(a + b).toLocaleString('en')}`,
  };
};

export const datasetRows: Record<string, Record<string, unknown[]>> = {
  gsm8k: { 'gsm8k/train.jsonl': each(300, wordProblem(950)), 'gsm8k/test.jsonl': each(60, wordProblem(5000)) },
};

/** The task as a run sees it, over these rows. */
export function withHandMade(
  task: Task,
  parameters: unknown,
): { task: Task; problems: Problem[]; counts: DatasetCounts } {
  const files = new Map(Object.entries(datasetRows[task.id] ?? {}));
  const { problems, counts } = problemsOf(task.dataset!, parameters, files);
  return { task: withRows(task, problems), problems, counts };
}
