/**
 * The form of STaR's CommonsenseQA prompts (arXiv:2203.14465, §4.2), for every task with lettered options.
 *
 *   Q: What do people use to absorb extra ink from a fountain pen?
 *   Answer Choices:
 *   (a) shirt pocket
 *   (b) blotter (CORRECT)                          hinted only
 *   A: The answer must be … Therefore, the answer is blotter (b).
 *
 * The mark of the hint stands on the choice, as in the paper; the completion is the same with and without it.
 */
import type { Problem } from '../schemas/problem.ts';
import { choice, parseChoice } from '../verifiers/choice.ts';
import type { Choice } from '../verifiers/choice.ts';
import type { DatasetRow } from './dataset.ts';
import { ask, shotsOf, STOP } from './pretrained.ts';
import type { Task } from './task.ts';

export interface ChoiceExample {
  question: string;
  /** In the order of their letters. */
  choices: string[];
  right: string;
  rationale: string;
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';
/** Options as they are known to who sees a completion alone. */
const UNKNOWN: Choice[] = [...LETTERS].slice(0, 8).map((label) => ({ label, text: '' }));

export const lettered = (texts: readonly string[]): Choice[] =>
  texts.map((text, index) => ({ label: LETTERS[index]!, text: text.trim() }));

/** @throws Error if no option is the right one. */
export function choiceRow(question: string, choices: Choice[], right: string, stratum = 'all'): DatasetRow {
  const found =
    choices.find(({ label }) => label === right.toLowerCase()) ?? choices.find(({ text }) => text === right);
  if (!found) throw new Error(`"${right}" is none of the choices ${choices.map(({ text }) => text).join(', ')}`);
  return { question, stratum, data: { question, choices }, gold: [found.label, found.text] };
}

function promptOf(question: string, choices: Choice[], right?: string): string {
  const lines = choices.map(({ label, text }) => `(${label}) ${text}${label === right ? ' (CORRECT)' : ''}`);
  return ask([question, 'Answer Choices:', ...lines].join('\n'));
}
/** A rationale that ends with the answer says it once. */
const complete = (rationale: string, { label, text }: Choice): string =>
  ` ${rationale.trim().replace(/(?<![.!?])$/, '.')} Therefore, the answer is ${text} (${label}).`;

/** The answer at once. */
const direct = ({ label, text }: Choice): string => ` The answer is ${text} (${label}).`;

const questionOf = ({ data }: Problem): [string, Choice[]] => [data.question as string, data.choices as Choice[]];

const rightOf = (problem: Problem): Choice => questionOf(problem)[1].find(({ label }) => label === problem.gold[0])!;

export function multipleChoice<P>(examples: readonly ChoiceExample[]) {
  const parse = (text: string, problem?: Problem) =>
    parseChoice(text, problem ? questionOf(problem)[1] : UNKNOWN, STOP);
  return {
    prompt: {
      free: (problem) => promptOf(...questionOf(problem)),
      hinted: (problem) => promptOf(...questionOf(problem), problem.gold[0]),
      shots: (form) =>
        shotsOf(
          examples.map(({ question, choices, right, rationale }) => {
            const all = lettered(choices);
            const one = all.find(({ text }) => text === right)!;
            return {
              prompt: promptOf(question, all, form === 'hinted' ? one.label : undefined),
              completion: complete(rationale, one),
            };
          }),
        ),
      direct: {
        shots: () =>
          shotsOf(
            examples.map(({ question, choices, right }) => {
              const all = lettered(choices);
              return { prompt: promptOf(question, all), completion: direct(all.find(({ text }) => text === right)!) };
            }),
          ),
        completion: (problem) => direct(rightOf(problem)),
      },
    },
    stop: STOP,
    goldCompletion: (problem) => {
      const right = rightOf(problem);
      return complete(
        (problem.data.rationale as string | undefined) ?? 'The answer must be what the question asks for.',
        right,
      );
    },
    parse,
    judge: (problem, text) => choice({ problem, text, answer: parse(text, problem) }),
  } satisfies Partial<Task<P>>;
}
