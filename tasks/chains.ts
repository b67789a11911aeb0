/**
 * Chains of states: the setting of RL-STaR's theory, for a model that learns.
 *
 *   prompt      0412>s03             a start, and a number that says nothing; hinted: 0412(>s05)>s03
 *   completion  >s06>s01>s05         a state for each step; the last is the answer
 *
 * There are M states and a map of each step, all fixed. Seeds are a teacher's who errs: at step n its move is right with probability
 * (1+(M−1)·δₙ)/M and any other with (1−δₙ)/M, from where it stands, so that the base moves with an advantage near δₙ over chance.
 * `startrail theory --states M --deltas …` takes the same setting.
 *
 * An ordinary model sees the start at every step, and can learn the end by heart past its own steps; theory knows only moves from one state
 * to the next. `sees: "state"` is a model with a window of one token, which is such a table (and sees no hint).
 *
 * The number in front makes many problems of one start. A held-out start has been trained on with other numbers: accuracy tells how well
 * the table is known, not whether it carries over. Source: arXiv:2410.23912.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { TokenizerSpec } from '../schemas/checkpoint.ts';
import { mulberry32 } from '../schemas/mulberry32.ts';
import type { Problem } from '../schemas/problem.ts';
import type { TaskDefaults } from '../schemas/run.ts';
import { exact } from '../verifiers/exact.ts';
import { correct, incorrect } from '../verifiers/verifier.ts';
import { drawFromStratum } from './draw.ts';
import { permutation } from './permutation.ts';
import { Splits } from './splits.ts';
import type { Stratum, Task } from './task.ts';

// ---- every number that was chosen, not derived ----

const MAX_STATES = 64;
const MAX_STEPS = 8;
/** Problems of each start. */
const NUMBERS = 10_000;
const MARGIN_TOKENS = 2;
const MODEL = { dModel: 32, layers: 2, heads: 4, dFF: 128, activation: 'relu', context: 32 } as const;
/** A model that sees one token has no other way to know which step it is at. */
const SHORT_SIGHTED = { ...MODEL, window: 1, positions: 'learned' } as const;
const TRAINING = {
  learningRate: 2e-3,
  beta2: 0.98,
  warmupSteps: 20,
  decay: 'linear',
  batchSize: 64,
  clipNorm: 1,
  hintedSeeds: 0.25,
} as const;
const BASE_STEPS = { first: 600, growth: 1, add: 0 };
const STEPS = { first: 150, growth: 1, add: 0 };
const RUN = { iterations: 8, shardSize: 1000, draw: 4000 };

export const ChainParameters = z
  .strictObject({
    /** M. */
    states: z.int().min(2).max(MAX_STATES).default(8),
    /** The teacher's advantage over chance at each step, −1/(M−1) … 1: as many as the chain has steps. */
    deltas: z.array(z.number().max(1)).min(1).max(MAX_STEPS).default([0.2, 0.2, 0.2]),
    /** Seed chains, of this teacher. */
    seeds: z.int().min(1).max(12_000).default(4000),
    /** Share of the wrong ends that the verifier lets through; held-out problems are judged without. */
    falseAccepts: z.number().min(0).max(1).default(0),
    /** What the model decides a move by: the whole chain so far, or the state it stands at alone, as the theory has it. */
    sees: z.enum(['chain', 'state']).default('chain'),
  })
  .refine(({ states, deltas }) => deltas.every((delta) => delta >= -1 / (states - 1)), {
    path: ['deltas'],
    error: 'a delta is below −1/(states−1): less right than never',
  });
export type ChainParameters = z.infer<typeof ChainParameters>;

// ---- states and moves ----

interface ChainData {
  start: number;
  states: number;
  steps: number;
  falseAccepts: number;
}
const dataOf = ({ data }: Problem) => data as unknown as ChainData;

const nameOf = (state: number): string => `s${String(state).padStart(2, '0')}`;

const maps = new Map<string, (state: number) => number>();
/** Where a step leads from each state. */
function mapOf(states: number, step: number): (state: number) => number {
  const key = `${states} ${step}`;
  const map = maps.get(key) ?? permutation(states, `startrail chains ${key}`);
  maps.set(key, map);
  return map;
}

/** The states behind the start, each where the step before led. */
function walked({ start, states, steps }: ChainData, move: (step: number, right: number) => number): number[] {
  let at = start;
  return Array.from({ length: steps }, (_, step) => (at = move(step, mapOf(states, step)(at))));
}
const rightStates = (data: ChainData): number[] => walked(data, (_, right) => right);
const textOf = (states: number[]): string => states.map((state) => `>${nameOf(state)}`).join('');

const CHAIN = /^(?:>s\d\d)+$/;
/** The states a completion names; none where it is no chain. */
const statesOf = (text: string): number[] => (CHAIN.test(text) ? text.slice(2).split('>s').map(Number) : []);

/**
 * For each step of the chain whether the move is right from the state that the text itself had reached: what RL-STaR's δ is
 * measured by. A step that is not there is wrong.
 */
export function rightMoves(problem: Problem, text: string): boolean[] {
  const { start, states, steps } = dataOf(problem);
  const reached = [start, ...statesOf(text)];
  return Array.from({ length: steps }, (_, step) => {
    const [from, to] = [reached[step], reached[step + 1]];
    return from !== undefined && from < states && to === mapOf(states, step)(from);
  });
}

/** Whether a text is a whole chain with the right end, whatever the verifier lets through and whoever's answer it is judged by. */
export function endsRight(problem: Problem, text: string): boolean {
  const [data, found] = [dataOf(problem), statesOf(text)];
  return found.length === data.steps && found.at(-1) === rightStates(data).at(-1);
}

// ---- problems ----

function problemOf({ states, deltas, falseAccepts }: ChainParameters, index: number): Problem {
  const [start, number] = [index % states, Math.floor(index / states)];
  const data: ChainData = { start, states, steps: deltas.length, falseAccepts };
  const id = `${String(number).padStart(4, '0')}>${nameOf(start)}`;
  const gold = [nameOf(rightStates(data).at(-1) as number)];
  return { id, identity: id, stratum: 'chain', data: { ...data }, gold };
}

const strataOf = (parameters: ChainParameters): Stratum[] => [
  { id: 'chain', size: parameters.states * NUMBERS, at: (index) => problemOf(parameters, index) },
];

const splits = new Map<string, Splits>();
function splitsOf(parameters: ChainParameters): Splits {
  // With every parameter: the held-out problems are made once and kept.
  const key = JSON.stringify(parameters);
  const made = splits.get(key) ?? new Splits(strataOf(parameters));
  splits.set(key, made);
  return made;
}

const drawnFrom = (text: string): number => createHash('sha256').update(text).digest().readInt32BE(0);

/** Completions of a teacher who errs at each step as much as its delta says. */
function taught({ states, deltas }: ChainParameters, problem: Problem, random: () => number): string {
  return textOf(
    walked(dataOf(problem), (step, right) => {
      if (random() < (1 + (states - 1) * (deltas[step] as number)) / states) return right;
      const other = Math.floor(random() * (states - 1));
      return other < right ? other : other + 1;
    }),
  );
}

const chains: Task<ChainParameters> = {
  id: 'chains',
  title: 'Chains of states',
  parameters: ChainParameters,
  strata: strataOf,
  split: (problem, parameters) => splitsOf(parameters).of(problem),
  heldOut: (side, parameters) =>
    splitsOf(parameters)
      .heldOut(strataOf(parameters), side)
      .map((problem) => ({ ...problem, data: { ...problem.data, falseAccepts: 0 } })),

  seeds: (parameters, seed) => {
    const random = mulberry32(drawnFrom(`seeds\n${seed}`));
    const [stratum] = strataOf(parameters) as [Stratum];
    const isTrain = (problem: Problem) => chains.split(problem, parameters) === 'train';
    return drawFromStratum(stratum, isTrain, parameters.seeds, `seeds\n${seed}`).map((problem) => ({
      problem,
      rationale: taught(parameters, problem, random),
    }));
  },
  seedsErr: true,

  prompt: {
    free: ({ id }) => id,
    hinted: ({ id, gold }) => id.replace('>', `(>${gold[0]})>`),
  },
  goldCompletion: (problem) => textOf(rightStates(dataOf(problem))),
  parse: (text) => (CHAIN.test(text) ? text.slice(text.lastIndexOf('>') + 1) : null),
  judge: (problem, text) => {
    const { steps, falseAccepts } = dataOf(problem);
    const found = statesOf(text).length;
    if (found !== steps) return incorrect(`${found} states where the chain has ${steps} steps`);
    const judged = exact({ problem, text, answer: chains.parse(text) }) as ReturnType<typeof correct>;
    if (judged.verdict === 'correct' || falseAccepts === 0) return judged;
    // By problem and text: the same row is judged the same wherever and whenever.
    const drawn = (drawnFrom(`accepted\n${problem.id}\n${text}`) >>> 0) / 2 ** 32;
    return drawn < falseAccepts ? correct() : judged;
  },
  checkSteps: (problem, text) => {
    const [moves, more] = [rightMoves(problem, text), statesOf(text).length - dataOf(problem).steps];
    const wrong = moves.indexOf(false);
    if (wrong < 0 && more === 0) return { sound: true, firstWrongStep: null };
    return { sound: false, firstWrongStep: wrong < 0 ? moves.length : wrong };
  },
  stepCount: (text) => statesOf(text).length,
  maxNewTokens: (problem) => dataOf(problem).steps + 1 + MARGIN_TOKENS,
  tokenizer: ({ states }): TokenizerSpec => ({
    kind: 'pieces',
    pieces: [
      ...['<pad>', '<end>', '(', ')', ...'0123456789'],
      ...Array.from({ length: states }, (_, state) => `>${nameOf(state)}`),
    ],
    pad: 0,
    end: 1,
  }),
  defaults: (_, { sees }): TaskDefaults => ({
    iterations: RUN.iterations,
    shardSize: RUN.shardSize,
    model: sees === 'state' ? SHORT_SIGHTED : MODEL,
    base: { ...TRAINING, steps: BASE_STEPS },
    stages: { draw: { count: RUN.draw }, 'fine-tune': { ...TRAINING, steps: STEPS } },
  }),
  judging: { trusted: true },
  modules: [new URL(import.meta.url)],
};
export default chains;
