/**
 * LegalBench (Guha et al., arXiv:2308.11462): legal texts to be put under one of a few labels; nine of its tasks.
 *
 *   ./bin/startrail run star --task legalbench --set parameters.task=hearsay --model …
 *
 *   Q: Hearsay is … To prove that the lamp was green, a letter … Is this evidence hearsay?
 *   A: The letter was written outside the court … The answer is Yes.       hinted: A: (The answer is Yes.)
 *
 * Rules and examples are our own words (tasks/legalbench-questions.ts). The published train files hold five or six rows, so
 * both files are cut into sides by the text's hash; texts that repeat are one problem. Strata: the labels. With two labels
 * half of all guesses are right, and of wrong rationales too: read the step checks of a person, not the filter alone.
 */
import { z } from 'zod';
import type { Problem } from '../schemas/problem.ts';
import { label, parseLabel } from '../verifiers/label.ts';
import { DatasetParameters, noRows } from './dataset.ts';
import { QUESTIONS } from './legalbench-questions.ts';
import type { LegalQuestion } from './legalbench-questions.ts';
import { ask, pretrainedDefaults, shotsOf, STOP } from './pretrained.ts';
import type { Task } from './task.ts';

type Name = keyof typeof QUESTIONS;
const Parameters = DatasetParameters.extend({
  task: z.enum(Object.keys(QUESTIONS) as [Name, ...Name[]]).default('abercrombie'),
});
type Parameters = z.infer<typeof Parameters>;
/** The gold stands in `answer` in train files and in `label` in test files. */
const Row = z.object({ text: z.string().min(1), answer: z.string().optional(), label: z.string().optional() });
const MAX_NEW_TOKENS = 128;
const ALL_LABELS = [...new Set(Object.values(QUESTIONS).flatMap(({ labels }) => [...labels]))];

const promptOf = ({ rule, asks }: LegalQuestion, text: string): string => ask(`${rule}\n${text}\n${asks}`);
const hint = (gold: string): string => ` (The answer is ${gold}.)`;
const complete = (rationale: string, gold: string): string => ` ${rationale} The answer is ${gold}.`;
/** The answer at once. */
const direct = (gold: string): string => ` The answer is ${gold}.`;
const read = ({ data }: Problem) => ({
  question: QUESTIONS[data.task as Name] as LegalQuestion,
  text: data.text as string,
});

const legalbench: Task<Parameters> = {
  ...noRows,
  id: 'legalbench',
  title: 'LegalBench: legal texts under one of a few labels',
  parameters: Parameters,
  dataset: {
    source:
      'LegalBench from huggingface.co/datasets/nguha/legalbench as JSON lines, a folder for each task (train.jsonl, test.jsonl)',
    files: ({ task }) => [
      { path: `legalbench/${task}/train.jsonl`, side: 'any', optional: true },
      { path: `legalbench/${task}/test.jsonl`, side: 'any' },
    ],
    row: (json, { task }) => {
      const { text, answer, label: other } = Row.parse(json);
      const { labels } = QUESTIONS[task] as LegalQuestion;
      const gold = labels.find((one) => one.toLowerCase() === (answer ?? other ?? '').trim().toLowerCase());
      if (gold === undefined) throw new Error(`"${answer ?? other}" is none of ${labels.join(', ')}`);
      return { question: text, stratum: gold, data: { task, text }, gold: [gold] };
    },
    shots: ({ task }) => QUESTIONS[task].examples.map(([text]) => text),
  },
  prompt: {
    free: (problem) => promptOf(read(problem).question, read(problem).text),
    hinted: (problem) => promptOf(read(problem).question, read(problem).text) + hint(problem.gold[0]!),
    shots: (form, { task }) =>
      shotsOf(
        (QUESTIONS[task] as LegalQuestion).examples.map(([text, rationale, gold]) => ({
          prompt: promptOf(QUESTIONS[task], text) + (form === 'hinted' ? hint(gold) : ''),
          completion: complete(rationale, gold),
        })),
      ),
    direct: {
      shots: ({ task }) =>
        shotsOf(
          (QUESTIONS[task] as LegalQuestion).examples.map(([text, , gold]) => ({
            prompt: promptOf(QUESTIONS[task], text),
            completion: direct(gold),
          })),
        ),
      completion: ({ gold }) => direct(gold[0]!),
    },
  },
  stop: STOP,
  goldCompletion: ({ gold }) => complete('By the rule above it follows.', gold[0]!),
  parse: (text, problem) => parseLabel(text, problem ? read(problem).question.labels : ALL_LABELS, STOP),
  judge: (problem, text) =>
    label(read(problem).question.labels)({ problem, text, answer: legalbench.parse(text, problem) }),
  maxNewTokens: () => MAX_NEW_TOKENS,
  defaults: pretrainedDefaults,
  judging: { trusted: true },
  modules: [new URL(import.meta.url)],
};
export default legalbench;
