/**
 * Plain text in which some letters need steps that are not written: four letters, where each leads, and a walk along them.
 *
 *   ACBDCBDA;A:CBD. so it goes on        a walk: each letter is one look-up behind the last
 *   ACBDCBDA;A3=D. so it goes on         a jump of three: A → C → B → D, and only the D is there
 *
 * (`ACBD…`: A leads to C, B to D, …) What is said after a jump is hard, after a walk a step, and `. so it goes on` is filler that needs
 * nothing. As the plain text of a model that is to think before it speaks (Quiet-STaR, arXiv:2403.09629): walks are in the text, so a thought may be
 * one. Strata: `walk`, and jumps of 2 and 3. An identity is a kind of question about one map from one letter. Own writing.
 */
import { z } from 'zod';
import type { TokenizerSpec } from '../schemas/checkpoint.ts';
import type { Problem } from '../schemas/problem.ts';
import type { TaskDefaults } from '../schemas/run.ts';
import { correct, incorrect } from '../verifiers/verifier.ts';
import { drawFromStratum } from './draw.ts';
import { digitsOf } from './ladder.ts';
import { Splits } from './splits.ts';
import type { Stratum, Task } from './task.ts';

// ---- every number that was chosen, not derived ----

const ALPHABET = 'ABCDEFGH';
/** Letters of a text. */
const LETTERS = 4;
/** Steps of a walk. */
const WALK = 3;
const JUMPS = [2, 3];
const FILLER = ['.', ' so', ' it', ' goes', ' on'];
/** Of each stratum. */
const HELD_OUT = { dev: 50, test: 250 };
const SEEDS = 4000;
const MODEL = { dModel: 64, layers: 2, heads: 4, dFF: 256, activation: 'relu', context: 48 } as const;
const TRAINING = {
  learningRate: 2e-3,
  beta2: 0.98,
  warmupSteps: 50,
  decay: 'linear',
  batchSize: 64,
  clipNorm: 1,
} as const;
const BASE_STEPS = { first: 1500, growth: 1, add: 0 };
const THINK = {
  ...{ learningRate: 1e-3, beta2: 0.98, warmupSteps: 20, decay: 'constant', batchSize: 32, clipNorm: 1 },
  ...{ steps: { first: 200, growth: 1, add: 0 }, marker: ':' },
} as const;
const RUN = { iterations: 1, shardSize: 250, draw: 6000 };

const Parameters = z.strictObject({});

/** All choices of LETTERS letters of the alphabet, in order. */
const CHOICES = Array.from({ length: 2 ** ALPHABET.length }, (_, bits) =>
  [...ALPHABET].filter((_, at) => (bits >> at) & 1).join(''),
).filter((letters) => letters.length === LETTERS);
const MAPS = Array.from({ length: LETTERS }, (_, n) => n + 1).reduce((a, b) => a * b);

interface Data {
  /** Letter, where it leads, letter, … */
  map: string;
  start: string;
  /** Absent: a walk. */
  jump?: number;
}
const dataOf = ({ data }: Pick<Problem, 'data'>): Data => data as unknown as Data;
const next = (map: string, letter: string): string => {
  for (let at = 0; at < map.length; at += 2) if (map[at] === letter) return map[at + 1]!;
  throw new RangeError(`${letter} leads nowhere in ${map}`);
};
function walked(map: string, start: string, steps: number): string {
  let [letter, way] = [start, ''];
  for (let step = 0; step < steps; step++) {
    letter = next(map, letter);
    way += letter;
  }
  return way;
}

function problemAt(stratum: string, jump: number | undefined, index: number): Problem {
  const [choice = 0, order = 0, from = 0] = digitsOf(index, [CHOICES.length, MAPS, LETTERS]);
  const letters = CHOICES[choice]!;
  const left = [...letters];
  let rest = order;
  const map = [...letters]
    .map((letter) => {
      const [image] = left.splice(rest % left.length, 1);
      rest = Math.floor(rest / (left.length + 1));
      return letter + image!;
    })
    .join('');
  const start = letters[from]!;
  const data: Data = { map, start, ...(jump !== undefined && { jump }) };
  const way = walked(map, start, jump ?? WALK);
  const id = `${stratum} ${map} ${start}`;
  return { id, identity: id, stratum, data: { ...data }, gold: [jump === undefined ? way : way.slice(-1)] };
}
const STRATA: Stratum[] = [undefined, ...JUMPS].map((jump) => {
  const id = jump === undefined ? 'walk' : `jump-${jump}`;
  return { id, size: CHOICES.length * MAPS * LETTERS, at: (index) => problemAt(id, jump, index) };
});
const splits = new Splits(STRATA);

const asked = (problem: Problem): string => {
  const { map, start, jump } = dataOf(problem);
  return `${map};${start}${jump === undefined ? ':' : `${jump}=`}`;
};
const complete = (problem: Problem): string => problem.gold[0]! + FILLER.join('');
const PIECES = ['<pad>', '<end>', ...ALPHABET, ...JUMPS.map(String), ';', ':', '=', '?', ...FILLER];
const TOKENIZER: TokenizerSpec = { kind: 'pieces', pieces: PIECES, pad: 0, end: 1 };
const parse = (text: string): string | null => /^([A-H]+)\./.exec(text)?.[1] ?? null;

const hiddenSteps: Task<z.infer<typeof Parameters>> = {
  id: 'hidden-steps',
  title: 'Plain text with steps that are not written',
  parameters: Parameters,
  strata: () => STRATA,
  split: (problem) => splits.of(problem),
  heldOut: (side) => STRATA.flatMap((stratum) => splits.heldOut([stratum], side).slice(0, HELD_OUT[side])),
  seeds: (_, seed) =>
    STRATA.flatMap((stratum) =>
      drawFromStratum(stratum, (problem) => splits.of(problem) === 'train', SEEDS, `seeds\n${seed}`),
    ).map((problem) => ({ problem, rationale: complete(problem) })),
  prompt: {
    free: asked,
    hinted: (problem) => `${asked(problem).slice(0, -1)}?${problem.gold[0]}${asked(problem).slice(-1)}`,
  },
  goldCompletion: complete,
  /** Each letter of its own, so that a mean over a kind is one over tokens. */
  parts: (problem) => [
    ...[...problem.gold[0]!].map((text) => ({ text, kind: dataOf(problem).jump === undefined ? 'step' : 'hard' })),
    ...FILLER.map((text) => ({ text, kind: 'filler' })),
  ],
  parse,
  judge: (problem, text) => {
    const answer = parse(text);
    return answer === problem.gold[0] ? correct() : incorrect(answer === null ? 'no answer' : `found ${answer}`);
  },
  maxNewTokens: () => WALK + FILLER.length + 2,
  tokenizer: () => TOKENIZER,
  defaults: (): TaskDefaults => ({
    iterations: RUN.iterations,
    shardSize: RUN.shardSize,
    model: MODEL,
    base: { ...TRAINING, hintedSeeds: 0, steps: BASE_STEPS },
    stages: {
      draw: { count: RUN.draw },
      'fine-tune': { ...TRAINING, hintedSeeds: 0, steps: BASE_STEPS },
      think: THINK,
    },
  }),
  judging: { trusted: true },
  modules: [new URL(import.meta.url)],
};
export default hiddenSteps;
