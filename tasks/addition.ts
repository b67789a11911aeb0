/**
 * Addition of two n-digit numbers with a scratchpad: the arithmetic task of STaR.
 *
 *   prompt      264+752                     hinted: 264+752=1016
 *   completion  264+752,C:0                 the problem, carry 0
 *               6+5,6C:0                    next digit pair, sum so far, carry that enters it
 *               2+7,16C:1
 *               ,016C:1                     no pair left: all n digits of the sum, the last carry
 *               1016                        the answer
 *
 * The scratchpad is the paper's (arXiv:2203.14465 §4.1; arithmetic/gen_sums.py of ezelikman/STaR) without its spaces and
 * `<scratch>` marks, and with the answer once: the original ends the scratchpad with carry and digits (`0648` if there is no
 * carry) and repeats the sum (`648`) behind it; here `,648C:0` is followed by `648`. As there, the hint is the sum, put where
 * the target begins. One-digit numbers are 0–9 (the original has no 0).
 *
 * Limits: both numbers have the same number of digits, at most 8.
 */
import { z } from 'zod';
import type { TokenizerSpec } from '../schemas/checkpoint.ts';
import type { Problem } from '../schemas/problem.ts';
import type { TaskDefaults } from '../schemas/run.ts';
import { exact } from '../verifiers/exact.ts';
import { drawFromStratum } from './draw.ts';
import { Splits } from './splits.ts';
import type { Stratum, Task } from './task.ts';

// ---- every number that was chosen, not derived ----

const MAX_DIGITS = 8;
/** Seed triples of 1, 2, … digits; what comes after the list gets `MORE_SEEDS`. */
const SEEDS = [600, 500, 200, 100, 50];
const MORE_SEEDS = 25;
/** Tokens beyond the longest right completion: room to be wrong in, so that a slip is not cut off as too long. */
const MARGIN_TOKENS = 4;
const MODEL = { dModel: 64, layers: 3, heads: 4, dFF: 256, activation: 'relu' } as const;
const MIN_CONTEXT = 128;
const TRAINING = {
  learningRate: 3e-3,
  beta2: 0.98,
  warmupSteps: 50,
  decay: 'linear',
  batchSize: 48,
  clipNorm: 1,
  /**
   * Share of the seeds that also come in the hinted form, in every recipe, also in those that never hint: all of them share
   * one base and one set of seeds. With all of them the model copies the sum from the hint before it can add.
   */
  hintedSeeds: 0.4,
} as const;
const BASE_STEPS = { first: 1200, growth: 1, add: 0 };
const STEPS = { first: 800, growth: 1.2, add: 0 };
/** The paper's appendix H; with hints its arithmetic run takes 300 + 20(n−1) steps. */
const PAPER_TRAINING = { learningRate: 1e-6, warmupSteps: 100, decay: 'constant', batchSize: 8, clipNorm: 1 } as const;
const PAPER_STEPS = { hinted: { first: 300, growth: 1, add: 20 }, free: { first: 40, growth: 1.2, add: 0 } };
const RUN = { iterations: 6, shardSize: 500, draw: 4000 };

// ---- problems ----

export const AdditionParameters = z.strictObject({
  /** Problems have 1 … `digits` digits; each count is a stratum. */
  digits: z.int().min(1).max(MAX_DIGITS).default(5),
});
export type AdditionParameters = z.infer<typeof AdditionParameters>;

/** The problem a+b; both numbers have `digits` digits. */
export function additionProblem(a: number, b: number, digits: number): Problem {
  return {
    id: `${a}+${b}`,
    identity: `${Math.min(a, b)}+${Math.max(a, b)}`,
    stratum: String(digits),
    data: { a, b },
    gold: [String(a + b)],
  };
}

const STRATA = Array.from({ length: MAX_DIGITS }, (_, index): Stratum => {
  const digits = index + 1;
  const lowest = digits === 1 ? 0 : 10 ** (digits - 1);
  const span = 10 ** digits - lowest;
  return {
    id: String(digits),
    size: span ** 2,
    at: (number) => additionProblem(lowest + Math.floor(number / span), lowest + (number % span), digits),
  };
});
const splits = new Splits(STRATA);
const strataOf = ({ digits }: AdditionParameters): Stratum[] => STRATA.slice(0, digits);
const digitsOf = (problem: Problem): number => Number(problem.stratum);

// ---- the scratchpad ----

/** The lines of the right completion. */
function scratchpad(problem: Problem): string[] {
  const { a, b } = problem.data as { a: number; b: number };
  const digits = digitsOf(problem);
  const lines = [`${a}+${b},C:0`];
  let carry = 0;
  let sum = '';
  for (let place = digits - 1; place >= 0; place--) {
    const x = Number(String(a)[place]);
    const y = Number(String(b)[place]);
    // The first pair is worked out without a line of its own: the header stands for it.
    if (sum !== '') lines.push(`${x}+${y},${sum}C:${carry}`);
    const total = x + y + carry;
    sum = `${total % 10}${sum}`;
    carry = total >= 10 ? 1 : 0;
  }
  lines.push(`,${sum}C:${carry}`, `${a + b}`);
  return lines;
}

/** A carry with the end of its line is one piece, and so is the header's end: a quarter fewer tokens, no information less. */
const PIECES = ['<pad>', '<end>', ...'0123456789', '+', ',', '=', '\n', 'C:0\n', 'C:1\n', ',C:0\n'];
const TOKENIZER: TokenizerSpec = { kind: 'pieces', pieces: PIECES, pad: 0, end: 1 };

/** Tokens of the longest right completion with `n` digits, end token included. */
function goldTokens(n: number): number {
  const header = 2 * n + 2;
  const pairs = 5 * (n - 1) + (n * (n - 1)) / 2;
  const last = n + 2;
  const answer = n + 1;
  return header + pairs + last + answer + 1;
}
const maxNewTokens = (n: number): number => goldTokens(n) + MARGIN_TOKENS;
/** Tokens of the longest hinted prompt, `a+b=sum` and the line's end, and the longest completion waited for. */
const contextTokens = (n: number): number => 3 * n + 4 + maxNewTokens(n);

/** A whole last line of digits behind a whole last line of the scratchpad; anything else was broken off or made up. */
const ANSWER = /(?:^|\n),\d+C:[01]\n(\d+)$/;

const addition: Task<AdditionParameters> = {
  id: 'addition',
  title: 'Addition with a scratchpad',
  parameters: AdditionParameters,
  strata: strataOf,
  split: (problem) => splits.of(problem),
  heldOut: (side, parameters) => splits.heldOut(strataOf(parameters), side),

  seeds: (parameters, seed) =>
    strataOf(parameters).flatMap((stratum, index) =>
      drawFromStratum(
        stratum,
        (problem) => splits.of(problem) === 'train',
        SEEDS[index] ?? MORE_SEEDS,
        `seeds\n${seed}`,
      ).map((problem) => ({ problem, rationale: scratchpad(problem).join('\n') })),
    ),

  prompt: {
    free: (problem) => `${problem.id}\n`,
    hinted: (problem) => `${problem.id}=${problem.gold[0]}\n`,
  },
  goldCompletion: (problem) => scratchpad(problem).join('\n'),
  parse: (text) => ANSWER.exec(text)?.[1] ?? null,
  // The answer alone decides, as in the paper; how many of the accepted scratchpads are sound is measured beside it.
  judge: (problem, text) => exact({ problem, text, answer: addition.parse(text) }),

  checkSteps: (problem, text) => {
    const right = scratchpad(problem);
    const found = text.split('\n');
    for (let line = 0; line < Math.max(right.length, found.length); line++)
      if (right[line] !== found[line]) return { sound: false, firstWrongStep: line };
    return { sound: true, firstWrongStep: null };
  },

  // Of the digit count alone: the sum's length would tell whether there is a last carry.
  maxNewTokens: (problem) => maxNewTokens(digitsOf(problem)),
  tokenizer: () => TOKENIZER,

  defaults: (recipe, { digits }): TaskDefaults => {
    const hints = Object.values(recipe.stages).some((stage) => stage.use === 'rationalize');
    return {
      iterations: RUN.iterations,
      shardSize: RUN.shardSize,
      model: { ...MODEL, context: Math.max(MIN_CONTEXT, Math.ceil(contextTokens(digits) / 32) * 32) },
      base: { ...TRAINING, steps: BASE_STEPS },
      stages: {
        draw: { count: RUN.draw },
        'fine-tune':
          recipe.id === 'star-paper'
            ? { ...TRAINING, ...PAPER_TRAINING, steps: hints ? PAPER_STEPS.hinted : PAPER_STEPS.free }
            : { ...TRAINING, steps: STEPS },
      },
    };
  },

  check: ({ digits }, context) => {
    const needed = contextTokens(digits);
    if (needed <= context.contextTokens) return [];
    const most = STRATA.filter((_, index) => contextTokens(index + 1) <= context.contextTokens).length;
    const allowed = most === 0 ? 'not even one digit' : `at most ${most}`;
    return [
      {
        field: 'parameters.digits',
        message:
          `found ${digits}, which needs ${needed} tokens (hinted prompt and scratchpad); a context of ` +
          `${context.contextTokens} holds ${allowed}. Ask for fewer digits or a context of at least ${needed}.`,
      },
    ];
  },

  judging: { trusted: true },
  modules: [new URL(import.meta.url)],
};
export default addition;
