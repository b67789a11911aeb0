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

const CHOICES = ['river', 'oven', 'attic', 'purse', 'cloud'];
const riddle = (from: number) => (n: number) => ({
  id: String(from + n),
  answerKey: 'ABCDE'[n % 5],
  question: {
    stem: `Where is thing ${from + n} kept?`,
    choices: CHOICES.map((text, index) => ({ label: 'ABCDE'[index], text: `${text} ${n % 3}` })),
  },
});
const examination = (from: number) => (n: number) => ({
  question: `A patient of ${from + n} days has sign ${n % 9}. Which is it?`,
  options: { A: 'fever', B: 'sprain', C: 'cough', D: 'burn' },
  answer_idx: 'ABCD'[n % 4],
});
const listed = (n: number) => ({
  question: `Which organ is hurt in case ${n}?`,
  options: ['A. lung', 'B. liver', 'C. heart', 'D. skin', 'E. eye'],
  answer: ['lung', 'liver', 'heart', 'skin', 'eye'][n % 5],
});
const instructed = (n: number) => ({
  instances: { input: `Question: Which drug helps in case ${n}?\nOption A: first\nOption B: second`, output: 'second' },
});
const mark = (n: number) => ({
  text: `The mark "Word ${n}" for goods of class ${n % 45}.`,
  label: ['generic', 'descriptive', 'suggestive', 'arbitrary', 'fanciful'][n % 5],
});

const KINDS = ['cat', 'dog', 'owl', 'fox', 'hen', 'cow', 'bee', 'ant', 'elk', 'emu'];
const database = (name: string) => ({
  db_id: name,
  table_names_original: ['zoo', name],
  column_names_original: [
    [-1, '*'],
    ...[[0, 'id'] as const, [0, 'town'] as const],
    ...['id', 'zoo_id', 'title', 'age'].map((column) => [1, column] as const),
  ],
  column_types: ['text', 'number', 'text', 'number', 'number', 'text', 'number'],
  primary_keys: [1, 3],
  foreign_keys: [[4, 1]],
});
const counted = (n: number) => {
  const [table, age] = [KINDS[n % KINDS.length]!, 2 + (n % 7)];
  const queries = [
    `SELECT count(*) FROM ${table} WHERE age > ${age}`,
    `SELECT town FROM zoo JOIN ${table} ON zoo.id = ${table}.zoo_id WHERE age > ${age};`,
    `SELECT title FROM ${table} WHERE age > (SELECT avg(age) FROM ${table}) ORDER BY age, id LIMIT ${1 + (n % 4)}`,
  ];
  return { db_id: table, question: `What about ${table} number ${n}?`, query: queries[n % queries.length]! };
};

export const datasetRows: Record<string, Record<string, unknown[]>> = {
  commonsenseqa: {
    'commonsenseqa/train.jsonl': each(300, riddle(0)),
    'commonsenseqa/dev.jsonl': each(50, riddle(900)),
    'rationales/ecqa_train.jsonl': each(80, (n) => ({
      question: `Where is thing ${n} kept?`,
      answer: `${CHOICES[n % 5]} ${n % 3}`,
      rationale: 'That is where everybody keeps such things.',
    })),
  },
  legalbench: { 'legalbench/abercrombie/test.jsonl': each(400, mark) },
  math: {
    'math/math500.jsonl': each(500, (n) => ({
      problem: `What is $\\frac{${n + 1}}{2} + ${n % 7}$ in lowest terms?`,
      solution: `It is half of ${n + 1} and ${n % 7} more.`,
      answer: `\\frac{${n + 1 + 2 * (n % 7)}}{2}`,
      subject: 'Algebra',
      level: 1 + (n % 5),
    })),
  },
  medqa: {
    'medqa/test.jsonl': each(50, examination(5000)),
    'medqa/train_1030.jsonl': each(100, examination(0)),
    'medqa/train_1000_5options.jsonl': each(100, instructed),
    'medqa/dev_5options.jsonl': each(30, listed),
  },
  spider: { 'spider/tables.json': KINDS.map(database), 'spider/dev.jsonl': each(210, counted) },
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
