/**
 * Generated tasks of a small pretrained model's size, all in one form: a question, worked steps, "The answer is X."
 *
 *   export default ladder({ id: 'three-sum', … , steps: ({ data }) => ['2 + 3 = 5.', '5 + 4 = 9.'] })
 *
 * Self-taught reasoning needs a start above chance and below mastery; these are tasks where SmolLM2-135M has that with six
 * worked examples (6.7% to 45.3%, greedy, 75 problems each). Problems are reached by number, splits are those of
 * tasks/splits.ts, the examples are problems of the train side. No files, no tokenizer: the model brings its own.
 */
import { z } from 'zod';
import type { Problem } from '../schemas/problem.ts';
import type { Verifier } from '../verifiers/verifier.ts';
import { cutOff } from '../verifiers/answer.ts';
import { drawFromStratum } from './draw.ts';
import { ask, pretrainedDefaults, shotsOf, STOP } from './pretrained.ts';
import { Splits } from './splits.ts';
import type { Stratum, Task } from './task.ts';

const EXAMPLES = 6;
/** Held-out problems in all, shared evenly by the strata. */
const HELD_OUT = { dev: 200, test: 501 };

const Parameters = z.strictObject({
  /** At most so many held-out problems a side; absent: 200 of dev, 500 of test. */
  heldOut: z.int().min(1).optional(),
  /** Right rationales that the base learns the form from, besides the examples of the prompt. */
  seeds: z.int().min(0).default(0),
});
export type LadderParameters = z.infer<typeof Parameters>;

export interface Ladder {
  id: string;
  title: string;
  strata: Stratum[];
  question(problem: Problem): string;
  /** The right way, a sentence each, without the answer. */
  steps(problem: Problem): string[];
  parse(text: string, stops: readonly string[]): string | null;
  judge: Verifier;
  maxNewTokens: number;
  module: URL;
}

const hint = ({ gold }: Problem): string => ` (The answer is ${gold[0]}.)`;
/** The answer at once. */
const direct = ({ gold }: Problem): string => ` The answer is ${gold[0]}.`;
const sentences = (text: string): string[] => text.trim().split(/(?<=\.)\s+/);

export function ladder(of: Ladder): Task<LadderParameters> {
  const splits = new Splits(of.strata);
  const isTrain = (problem: Problem) => splits.of(problem) === 'train';
  const complete = (problem: Problem) => ` ${[...of.steps(problem), `The answer is ${problem.gold[0]}.`].join(' ')}`;
  const fromTrain = (count: number, seed: string) =>
    of.strata
      .flatMap((stratum) => drawFromStratum(stratum, isTrain, Math.ceil(count / of.strata.length), seed))
      .slice(0, count);
  let found: Problem[] | undefined;
  const examples = () => (found ??= fromTrain(EXAMPLES, 'shots'));
  const prompt = {
    free: (problem: Problem) => ask(of.question(problem)),
    hinted: (problem: Problem) => ask(of.question(problem)) + hint(problem),
    shots: (form: 'free' | 'hinted') =>
      shotsOf(
        examples().map((one) => ({
          prompt: prompt[form](one),
          completion: complete(one),
        })),
      ),
    direct: {
      shots: () => shotsOf(examples().map((one) => ({ prompt: prompt.free(one), completion: direct(one) }))),
      completion: direct,
    },
  };
  const parse = (text: string) => of.parse(text, STOP);
  return {
    id: of.id,
    title: of.title,
    parameters: Parameters,
    strata: () => of.strata,
    split: (problem) => splits.of(problem),
    heldOut: (side, { heldOut = HELD_OUT[side] }) =>
      of.strata.flatMap((stratum) => splits.heldOut([stratum], side).slice(0, Math.ceil(heldOut / of.strata.length))),
    seeds: ({ seeds }, seed) =>
      fromTrain(seeds, `seeds\n${seed}`).map((problem) => ({ problem, rationale: complete(problem) })),
    prompt,
    stop: STOP,
    goldCompletion: complete,
    parse,
    judge: (problem, text) => of.judge({ problem, text, answer: parse(text) }),
    // The steps are counted by sentences here: a completion is one line.
    checkSteps: (problem, text) => {
      const [right, found] = [sentences(complete(problem)), sentences(cutOff(text, STOP))];
      for (let step = 0; step < Math.max(right.length, found.length); step++)
        if (right[step] !== found[step]) return { sound: false, firstWrongStep: step };
      return { sound: true, firstWrongStep: null };
    },
    stepCount: (text) => sentences(cutOff(text, STOP)).length,
    maxNewTokens: () => of.maxNewTokens,
    defaults: pretrainedDefaults,
    judging: { trusted: true },
    modules: [of.module],
  };
}

/** The digits of an index in mixed radix, the last first: how a stratum's number becomes a problem. */
export function digitsOf(index: number, radices: readonly number[]): number[] {
  return radices.map((radix) => {
    const digit = index % radix;
    index = Math.floor(index / radix);
    return digit;
  });
}
