/**
 * Proofs in Lean 3: theorems of small families, each line of a completion a thought and a tactic.
 *
 *   prompt       ( p q r : Prop ) ( h1 : p ∧ q ) : q ∧ p
 *                                              hinted: … hint cases h1 with h2 h3 , split , exact h3 , exact h2
 *   completion   goal q ∧ p from h1 ; cases h1 with h2 h3
 *                goal q ∧ p is and ; split
 *                goal q by h3 ; exact h3
 *                goal p by h2 ; exact h2
 *
 * Every word has a space in front, so that a word is a token. Lean judges the tactics (verifiers/lean.ts), whatever the thoughts say;
 * a proof other than the known one is as right. Form of Lean-STaR (Lin et al., arXiv:2407.10040): the hint is the tactics, and the
 * thoughts are written behind them. Whole proofs; Lean's state is not shown between two steps.
 *
 * `thoughts`: `none` leaves them out of the seeds, `shuffled` deals each seed's out among the steps of all seeds. Splits go by the
 * statement up to the names of its variables: no test statement is a training statement with other letters.
 */
import { z } from 'zod';
import type { TokenizerSpec } from '../schemas/checkpoint.ts';
import type { Problem } from '../schemas/problem.ts';
import type { TaskDefaults } from '../schemas/run.ts';
import { judgeLean } from '../verifiers/lean.ts';
import { drawFromStratum } from './draw.ts';
import { FAMILIES, WORDS } from './lean-family.ts';
import type { Step } from './lean-family.ts';
import { permutation } from './permutation.ts';
import { Splits } from './splits.ts';
import type { SeedTriple, Stratum, Task } from './task.ts';

// ---- every number that was chosen, not derived ----

const HELD_OUT = { dev: 40, test: 120 };
/** Of each stratum: few, so that the base proves some and not most of what it has not seen. */
const SEEDS = 60;
const MODEL = { dModel: 96, layers: 4, heads: 3, dFF: 384, activation: 'relu', context: 272 } as const;
const TRAINING = {
  learningRate: 2e-3,
  beta2: 0.98,
  warmupSteps: 50,
  decay: 'linear',
  batchSize: 32,
  clipNorm: 1,
} as const;
const HINTED_SEEDS = 0.4;
const BASE_STEPS = { first: 400, growth: 1, add: 0 };
const STEPS = { first: 500, growth: 1.2, add: 0 };
const RUN = { iterations: 3, shardSize: 200, draw: 800 };
const MOST_NEW_TOKENS = 136;
/** Lean may have to be started, on a machine that does much else. */
const ROW_MS = 30_000;

const Parameters = z.strictObject({
  /** What stands in front of each tactic of the seeds. */
  thoughts: z.enum(['written', 'none', 'shuffled']).default('written'),
});
type LeanParameters = z.infer<typeof Parameters>;

const STRATA: Stratum[] = Object.entries(FAMILIES).map(([id, { size, at }]) => ({
  id,
  size,
  at: (index) => {
    const { binders, type, steps, shape } = at(index);
    const name = `${id} ${binders} : ${type}`;
    const gold = steps.map(({ tactic }) => ` ${tactic}`).join(' ,');
    const data = { binders, type, steps: steps.map(({ thought, tactic }) => [thought, tactic]) };
    return { id: name, identity: `${id} ${shape}`, stratum: id, data, gold: [gold, written(steps)] };
  },
}));
const splits = new Splits(STRATA);

const written = (steps: Step[], thoughts = true): string =>
  steps.map(({ thought, tactic }) => (thoughts ? ` ${thought} ; ${tactic}` : ` ${tactic}`)).join('\n');
const stepsOf = ({ data }: Problem): Step[] =>
  (data.steps as [string, string][]).map(([thought, tactic]) => ({ thought, tactic }));

/** The tactics of a completion, as Lean reads them; null: a line has none. */
function proofOf(text: string): string | null {
  const tactics = text
    .split('\n')
    .map((line) => line.slice(line.indexOf(' ; ') < 0 ? 0 : line.indexOf(' ; ') + 3).trim());
  return text.trim() === '' || tactics.includes('') ? null : tactics.join(' ,\n');
}

/** Each step with the thought of another step of any seed. */
function dealtOut(seeds: SeedTriple[], seed: string): SeedTriple[] {
  const all = seeds.flatMap(({ problem }) => stepsOf(problem).map(({ thought }) => thought));
  const order = permutation(all.length, `thoughts\n${seed}`);
  let at = 0;
  return seeds.map(({ problem }) => {
    const steps = stepsOf(problem).map(({ tactic }) => ({ thought: all[order(at++)]!, tactic }));
    return { problem, rationale: written(steps) };
  });
}

const freePrompt = ({ data }: Problem): string => ` ${data.binders as string} : ${data.type as string}\n`;
const PIECES = ['<pad>', '<end>', '\n', ...WORDS.map((word) => ` ${word}`)];
const TOKENIZER: TokenizerSpec = { kind: 'pieces', pieces: PIECES, pad: 0, end: 1 };

const lean: Task<LeanParameters> = {
  id: 'lean',
  title: 'Proofs in Lean 3 over generated theorems',
  parameters: Parameters,
  strata: () => STRATA,
  split: (problem) => splits.of(problem),
  heldOut: (side) => STRATA.flatMap((stratum) => splits.heldOut([stratum], side).slice(0, HELD_OUT[side])),
  seeds: ({ thoughts }, seed) => {
    const seeds = STRATA.flatMap((stratum) =>
      drawFromStratum(stratum, (problem) => splits.of(problem) === 'train', SEEDS, `seeds\n${seed}`),
    ).map((problem) => ({ problem, rationale: written(stepsOf(problem), thoughts !== 'none') }));
    return thoughts === 'shuffled' ? dealtOut(seeds, seed) : seeds;
  },
  prompt: {
    free: freePrompt,
    hinted: (problem) => `${freePrompt(problem).trimEnd()} hint${problem.gold[0]}\n`,
  },
  goldCompletion: (problem) => written(stepsOf(problem)),
  parse: (text) => (proofOf(text) === null ? null : text),
  judge: ({ data }, text) =>
    judgeLean({ statement: { binders: data.binders as string, type: data.type as string }, proof: proofOf(text) }),
  sameSteps: (text) => proofOf(text) ?? text,
  stepCount: (text) => text.split('\n').length,
  vote: (_, text) => proofOf(text),
  maxNewTokens: () => MOST_NEW_TOKENS,
  tokenizer: () => TOKENIZER,
  defaults: (): TaskDefaults => ({
    iterations: RUN.iterations,
    shardSize: RUN.shardSize,
    model: MODEL,
    base: { ...TRAINING, hintedSeeds: HINTED_SEEDS, steps: BASE_STEPS },
    stages: {
      draw: { count: RUN.draw },
      verify: { timeoutMs: ROW_MS },
      'fine-tune': { ...TRAINING, hintedSeeds: HINTED_SEEDS, steps: STEPS },
    },
  }),
  modules: [new URL(import.meta.url)],
};
export default lean;
