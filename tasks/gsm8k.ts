/**
 * GSM8K: grade-school word problems with a number for an answer, from published files.
 *
 *   prompt      Q: Natalia sold clips to 48 of her friends … in April and May?
 *               A:                          hinted: A: (The answer is 72.)
 *   completion   Natalia sold 48/2 = 24 clips in May.
 *               Natalia sold 48+24 = 72 clips altogether in April and May.
 *               #### 72
 *
 * Form of Cobbe et al. (arXiv:2110.14168) and of STaR's GSM8K run; the examples are our own. The hint is the final number
 * alone: the released code of STaR shows the whole solution. Calculator marks (`<<48/2=24>>`) are taken out.
 *
 * Strata: steps of the human solution, "1" … "8+". Limits: out of reach for very small models (SmolLM2-135M: 0.4–2.4%).
 */
import { z } from 'zod';
import { numeric, parseNumber, readNumber } from '../verifiers/numeric.ts';
import { DatasetParameters, noRows } from './dataset.ts';
import { pretrainedDefaults, STOP, workedPrompt } from './pretrained.ts';
import type { Task } from './task.ts';

const Row = z.object({ question: z.string().min(1), answer: z.string().regex(/####\s*\S/) });
const MOST_STEPS = 8;
const MAX_NEW_TOKENS = 320;

const EXAMPLES = [
  {
    question:
      'A baker fills 6 trays with 8 rolls each. She gives 5 rolls to a neighbour and sells the rest for $2 each. How many dollars does she take?',
    solution: 'She bakes 6*8 = 48 rolls.\nShe has 48-5 = 43 rolls to sell.\nShe takes 43*2 = 86 dollars.',
    answer: '86',
  },
  {
    question:
      'Ravi walks 3 kilometres to school and the same way back on each of 5 days. His sister walks half as far in all. How many kilometres does his sister walk?',
    solution:
      'Ravi walks 3*2 = 6 kilometres a day.\nIn 5 days he walks 6*5 = 30 kilometres.\nHis sister walks 30/2 = 15 kilometres.',
    answer: '15',
  },
  {
    question:
      'A tank holds 90 litres. A third of it is used in the morning and 12 litres at night. How many litres are left?',
    solution:
      'In the morning 90/3 = 30 litres are used.\nIn all 30+12 = 42 litres are used.\nThere are 90-42 = 48 litres left.',
    answer: '48',
  },
  {
    question: 'Lena is 4 years older than Tom. In 6 years their ages will add up to 40. How old is Tom now?',
    solution:
      'Now their ages add up to 40-6-6 = 28.\nWithout the 4 years between them that is 28-4 = 24, twice the age of Tom.\nTom is 24/2 = 12 years old.',
    answer: '12',
  },
];

const solve = (solution: string, answer: string): string => ` ${solution}\n#### ${answer}`;
/** The answer at once. */
const direct = (answer: string): string => ` #### ${answer}`;
const hint = (answer: string): string => ` (The answer is ${answer}.)`;
const stepsOf = (text: string): number =>
  text.split('\n').filter((line) => line.trim() !== '' && !line.trim().startsWith('####')).length;

/** What is computed, in its order, whatever is said around it; RFT counts paths so (arXiv:2308.01825 §3.3). Without any: the text. */
const equationsOf = (text: string): string =>
  (text.match(/[\d.,$()\s+*/×÷−-]*\d[\d.,$()\s+*/×÷−-]*=\s*\$?-?\d[\d.,]*/g) ?? [text])
    .map((equation) => equation.replace(/[\s,$]|\.(?!\d)/g, ''))
    .join('\n');

const gsm8k: Task<DatasetParameters> = {
  ...noRows,
  id: 'gsm8k',
  title: 'GSM8K: grade-school word problems',
  parameters: DatasetParameters,
  dataset: {
    source:
      'GSM8K from github.com/openai/grade-school-math (folder grade_school_math/data: train.jsonl and test.jsonl)',
    files: () => [
      { path: 'gsm8k/train.jsonl', side: 'train' },
      { path: 'gsm8k/test.jsonl', side: 'test' },
    ],
    row: (json) => {
      const { question, answer } = Row.parse(json);
      const [solution = '', final = ''] = answer.split(/\n?####/);
      const number = readNumber(final);
      if (typeof number !== 'string') throw new Error(`"${final.trim()}" behind #### is no number`);
      const rationale = solution.replace(/<<[^<>]*>>/g, '').trim();
      const steps = Math.max(1, stepsOf(rationale));
      const stratum = steps >= MOST_STEPS ? `${MOST_STEPS}+` : String(steps);
      return { question, stratum, data: { question }, gold: [number], rationale };
    },
    shots: () => EXAMPLES.map(({ question }) => question),
  },
  prompt: workedPrompt({ examples: EXAMPLES, hint, complete: solve, direct }),
  stop: STOP,
  goldCompletion: ({ data, gold }) => solve(data.rationale as string, gold[0]!),
  parse: (text) => parseNumber(text, STOP),
  judge: (problem, text) => numeric({ problem, text, answer: gsm8k.parse(text) }),
  stepCount: stepsOf,
  sameSteps: equationsOf,
  maxNewTokens: () => MAX_NEW_TOKENS,
  defaults: pretrainedDefaults,
  judging: { trusted: true },
  modules: [new URL(import.meta.url)],
};
export default gsm8k;
