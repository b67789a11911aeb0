/**
 * Short problems of several steps, two thirds of them with products of three-digit numbers: what a small model can learn to set
 * up, and not to work out in its head.
 *
 *   prompt       347 boxes of 582 and 913 more\n         nudged: … (use the calculator)\n      hinted: … (202867)\n
 *   completion   <<347*582=201954>>\n<<201954+913=202867>>\n202867       each step on a line, then the answer
 *                347*582=201954\n201954+913=202867\n202867              the same in its head
 *
 * Strata: `small` (one-digit sums, no tool needed), `two-step` (a product and a sum or difference), `three-step` (two products and
 * their sum). Seeds do sums in the head behind the plain prompt and call behind the nudge: whether to call without being told is
 * what START's loop has to find out. Words are single pieces, so that a text is short.
 *
 * The design is that of START (arXiv:2503.04625) made small. Limits: English of six words.
 */
import { z } from 'zod';
import type { TokenizerSpec } from '../schemas/checkpoint.ts';
import type { Problem } from '../schemas/problem.ts';
import type { Recipe } from '../schemas/recipe.ts';
import type { TaskDefaults } from '../schemas/run.ts';
import { callText } from '../tools/calls.ts';
import { exact } from '../verifiers/exact.ts';
import { drawFromStratum } from './draw.ts';
import { Splits } from './splits.ts';
import type { Stratum, Task } from './task.ts';

/** Seed triples of each stratum. */
const SEEDS = { small: 150, 'two-step': 400, 'three-step': 400 } as const;
/** Held-out problems of each stratum. */
const HELD_OUT = { dev: 100, test: 250 } as const;
const MARGIN_TOKENS = 6;
const MODEL = { dModel: 64, layers: 3, heads: 4, dFF: 256, activation: 'relu', context: 128 } as const;
const TRAINING = {
  learningRate: 3e-3,
  beta2: 0.98,
  warmupSteps: 50,
  decay: 'linear',
  batchSize: 48,
  clipNorm: 1,
  hintedSeeds: 1,
} as const;
const BASE_STEPS = { first: 1600, growth: 1, add: 0 };
const STEPS = { first: 1200, growth: 1, add: 0 };
const RUN = { iterations: 4, shardSize: 300, draw: 1200 };

const MORE = ' and ';
const [BOXES, BAGS, ADDED, TAKEN, NUDGE] = [' boxes of ', ' bags of ', ' more', ' taken', ' (use the calculator)'];

/** One operation of a problem: two numbers, of which each is given or is the result of an earlier step. */
type Step = [number, '+' | '-' | '*', number];

const three = (n: number) => 100 + (n % 900);
const valueOf = ([x, sign, y]: Step): number => (sign === '*' ? x * y : sign === '+' ? x + y : x - y);

function problemOf(stratum: string, question: string, steps: Step[]): Problem {
  const gold = valueOf(steps.at(-1)!);
  return { id: question, identity: question, stratum, data: { question, steps }, gold: [String(gold)] };
}

const STRATA: Stratum[] = [
  {
    id: 'small',
    size: 10 ** 3 * 2,
    at(index) {
      const [a, b, c] = [Math.floor(index / 2) % 10, Math.floor(index / 20) % 10, Math.floor(index / 200)];
      // Nothing is taken that is not there.
      const taken = index % 2 === 1 && c <= a + b;
      const question = `${a}${ADDED}${MORE}${b}${ADDED}${MORE}${c}${taken ? TAKEN : ADDED}`;
      const marked = index % 2 === 1 && !taken ? `${question}${MORE}0${ADDED}` : question;
      return problemOf('small', marked, [
        [a, '+', b],
        [a + b, taken ? '-' : '+', c],
      ]);
    },
  },
  {
    id: 'two-step',
    size: 900 ** 3 * 2,
    at(index) {
      const half = Math.floor(index / 2);
      const [a, b, c] = [three(half), three(Math.floor(half / 900)), three(Math.floor(half / 900 ** 2))];
      const taken = index % 2 === 1;
      return problemOf('two-step', `${a}${BOXES}${b}${MORE}${c}${taken ? TAKEN : ADDED}`, [
        [a, '*', b],
        [a * b, taken ? '-' : '+', c],
      ]);
    },
  },
  {
    id: 'three-step',
    size: 900 ** 4,
    at(index) {
      const [a, b, c, d] = [0, 1, 2, 3].map((place) => three(Math.floor(index / 900 ** place))) as [
        number,
        number,
        number,
        number,
      ];
      return problemOf('three-step', `${a}${BOXES}${b}${MORE}${c}${BAGS}${d}`, [
        [a, '*', b],
        [c, '*', d],
        [a * b, '+', c * d],
      ]);
    },
  },
];
const splits = new Splits(STRATA);

const stepsOf = ({ data }: Problem): Step[] => data.steps as Step[];
const asked = ([x, sign, y]: Step): string => `${x}${sign}${y}`;
const completionOf = (problem: Problem, written: (step: Step) => string): string =>
  [...stepsOf(problem).map(written), problem.gold[0]].join('\n');
const inHead = (problem: Problem) => completionOf(problem, (step) => `${asked(step)}=${valueOf(step)}`);
const withTools = (problem: Problem) =>
  completionOf(problem, (step) => callText('calculator', asked(step), String(valueOf(step))));

const WORDS = [MORE, BOXES, BAGS, ADDED, TAKEN, NUDGE];
const PIECES = ['<pad>', '<end>', ...'0123456789', '+', '-', '*', '=', '\n', '<<', '>>', ' (', ')', ...WORDS];
const TOKENIZER: TokenizerSpec = { kind: 'pieces', pieces: PIECES, pad: 0, end: 1 };

const Parameters = z.strictObject({});
const withoutMarks = (line: string): string => line.replace(/<<|>>/g, '');

const products: Task<z.infer<typeof Parameters>> = {
  id: 'products',
  title: 'Short problems with three-digit products',
  parameters: Parameters,
  strata: () => STRATA,
  split: (problem) => splits.of(problem),
  heldOut: (side) => STRATA.flatMap((stratum) => splits.heldOut([stratum], side).slice(0, HELD_OUT[side])),
  seeds: (_, seed) =>
    STRATA.flatMap((stratum) =>
      drawFromStratum(
        stratum,
        (problem) => splits.of(problem) === 'train',
        SEEDS[stratum.id as keyof typeof SEEDS],
        `seeds\n${seed}`,
      ).map((problem) => ({ problem, rationale: inHead(problem), withTools: withTools(problem) })),
    ),
  prompt: {
    free: ({ data }) => `${data.question as string}\n`,
    hinted: ({ data, gold }) => `${data.question as string} (${gold[0]})\n`,
    nudged: ({ data }) => `${data.question as string}${NUDGE}\n`,
  },
  goldCompletion: inHead,
  parse: (text) => /(?:^|\n)(\d+)$/.exec(text)?.[1] ?? null,
  judge: (problem, text) => exact({ problem, text, answer: products.parse(text) }),
  // With a tool or without: the same steps with the same results.
  checkSteps: (problem, text) => {
    const [right, found] = [inHead(problem).split('\n'), text.split('\n').map(withoutMarks)];
    for (let line = 0; line < Math.max(right.length, found.length); line++)
      if (right[line] !== found[line]) return { sound: false, firstWrongStep: line };
    return { sound: true, firstWrongStep: null };
  },
  sameSteps: withoutMarks,
  // Of the stratum alone: the answer's length tells something of it.
  maxNewTokens: ({ stratum }) => ({ small: 34, 'two-step': 44, 'three-step': 64 })[stratum]! + MARGIN_TOKENS,
  tokenizer: () => TOKENIZER,
  defaults: (recipe): TaskDefaults => ({
    iterations: RUN.iterations,
    shardSize: RUN.shardSize,
    model: MODEL,
    base: { ...TRAINING, ...toolsOf(recipe), steps: BASE_STEPS },
    stages: { draw: { count: RUN.draw }, 'fine-tune': { ...TRAINING, steps: STEPS } },
  }),
  judging: { trusted: true },
  modules: [new URL(import.meta.url)],
};

/** The base learns the hint, and leaves out of the loss what tools say, as the recipe's own fine-tune does. */
function toolsOf({ stages }: Recipe): Record<string, unknown> {
  const { hint, tools } = Object.values(stages).find(({ use }) => use === 'fine-tune')?.with ?? {};
  return { ...(hint !== undefined && { hint }), ...(tools !== undefined && { tools }) };
}

export default products;
