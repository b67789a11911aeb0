/**
 * MATH (Hendrycks et al., arXiv:2103.03874): problems of mathematics competitions, answers in LaTeX.
 *
 *   Q: Convert the point $(0,3)$ … to polar coordinates.
 *   A: … Therefore, the answer is $\boxed{\left( 3, \frac{\pi}{2} \right)}$.      hinted: A: (The answer is $…$.)
 *
 * `set` is `math500` (the 500 test problems most papers report) or `aime24`. A train file, where there is one, has the layout
 * of the original (problem, solution, level, type); without one math500 is cut into sides by hash. Strata: level or subject.
 * The examples are our own.
 */
import { z } from 'zod';
import { latex, parseLatex } from '../verifiers/latex.ts';
import { DatasetParameters, noRows } from './dataset.ts';
import type { DatasetFile } from './dataset.ts';
import { pretrainedDefaults, STOP, workedPrompt } from './pretrained.ts';
import type { Task } from './task.ts';

const Parameters = DatasetParameters.extend({
  set: z.enum(['math500', 'aime24']).default('math500'),
  strata: z.enum(['level', 'subject']).default('level'),
});
type Parameters = z.infer<typeof Parameters>;

const Row = z.object({
  problem: z.string().min(1),
  solution: z.string(),
  answer: z.union([z.string(), z.number()]).optional(),
  subject: z.string().optional(),
  type: z.string().optional(),
  level: z.union([z.string(), z.number()]).optional(),
});
const MAX_NEW_TOKENS = 512;

const EXAMPLES = [
  {
    question: 'What is the sum of the two solutions of $x^2 - 9x + 14 = 0$?',
    solution: 'The left side is $(x-2)(x-7)$, so the solutions are $2$ and $7$. Their sum is $2 + 7 = 9$.',
    answer: '9',
  },
  {
    question: 'A fair coin is thrown three times. What is the probability of exactly two heads?',
    solution: 'There are $2^3 = 8$ outcomes, all alike. In $3$ of them the one tail is first, second or third.',
    answer: '\\frac{3}{8}',
  },
  {
    question: 'Find the length of the diagonal of a rectangle with sides $4$ and $6$.',
    solution: 'By Pythagoras it is $\\sqrt{4^2 + 6^2} = \\sqrt{52}$. As $52 = 4 \\cdot 13$, this is $2\\sqrt{13}$.',
    answer: '2\\sqrt{13}',
  },
  {
    question: 'For which real $x$ is $5 - 2x \\le 1$? Give the answer as an interval.',
    solution: 'Taking $5$ from both sides, $-2x \\le -4$. Dividing by $-2$ turns the sign around: $x \\ge 2$.',
    answer: '[2,\\infty)',
  },
];

const hint = (answer: string): string => ` (The answer is $${answer}$.)`;
const complete = (solution: string, answer: string): string =>
  ` ${solution} Therefore, the answer is $\\boxed{${answer}}$.`;
/** The answer at once. */
const direct = (answer: string): string => ` The answer is $\\boxed{${answer}}$.`;

const math: Task<Parameters> = {
  ...noRows,
  id: 'math',
  title: 'MATH: problems of mathematics competitions',
  parameters: Parameters,
  dataset: {
    source:
      'MATH-500 from huggingface.co/datasets/HuggingFaceH4/MATH-500 as math500.jsonl; for set=aime24 also AIME 2024 as aime24.jsonl (problem, solution, answer)',
    files: ({ set }): DatasetFile[] => [
      { path: 'math/train.jsonl', side: 'train', optional: true },
      { path: 'math/math500.jsonl', side: set === 'math500' ? 'test' : 'train' },
      ...(set === 'aime24' ? [{ path: 'math/aime24.jsonl', side: 'test' } as const] : []),
    ],
    row: (json, { strata }) => {
      const { problem, solution, answer, subject, type, level } = Row.parse(json);
      const gold = answer === undefined ? parseLatex(solution) : String(answer).trim();
      if (gold === null || gold === '') throw new Error('the solution boxes no answer');
      const stratum = strata === 'level' ? String(level ?? 'none').replace('Level ', '') : (subject ?? type ?? 'none');
      return { question: problem, stratum, data: { question: problem }, gold: [gold], rationale: solution };
    },
    shots: () => EXAMPLES.map(({ question }) => question),
  },
  prompt: workedPrompt({ examples: EXAMPLES, hint, complete, direct }),
  stop: STOP,
  goldCompletion: ({ data, gold }) => complete(data.rationale as string, gold[0]!),
  parse: (text) => parseLatex(text, STOP),
  judge: (problem, text) => latex({ problem, text, answer: math.parse(text) }),
  maxNewTokens: () => MAX_NEW_TOKENS,
  defaults: pretrainedDefaults,
  judging: { trusted: true },
  modules: [new URL(import.meta.url)],
};
export default math;
