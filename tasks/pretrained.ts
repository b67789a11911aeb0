/**
 * What tasks for pretrained models share: few-shot examples in one layout, and sizes that two cores can bear.
 *
 *   shotsOf(EXAMPLES, ({ prompt, completion }) => …)     // "Q: …\nA: …\n\nQ: …\nA: …\n\n"
 *
 * Such a task has no tokenizer: the model brings its own.
 */
import type { Problem } from '../schemas/problem.ts';
import type { TaskDefaults } from '../schemas/run.ts';
import type { Task } from './task.ts';

/** What comes between two examples, and so what a model writes when it goes on to a question of its own. */
export const GAP = '\n\n';
export const STOP = [`${GAP}Q:`];

/** A base model's line breaks stand in front of what is asked: the completion begins right behind `A:`. */
export const ask = (question: string): string => `Q: ${question}\nA:`;

/** Examples in the form in which the problem behind them will be asked. */
export const shotsOf = (examples: readonly { prompt: string; completion: string }[]): string =>
  examples.map(({ prompt, completion }) => `${prompt}${completion}${GAP}`).join('');

export interface WorkedExample {
  question: string;
  solution: string;
  answer: string;
}

/** Prompts of a task whose problems have their question in `data.question`, behind worked examples of ours. */
export function workedPrompt(of: {
  examples: readonly WorkedExample[];
  /** What stands between prompt and completion where the answer is shown. */
  hint(answer: string): string;
  complete(solution: string, answer: string): string;
  /** The answer at once. */
  direct(answer: string): string;
}): Task['prompt'] {
  const { examples, hint, complete, direct } = of;
  const free = ({ data }: Problem) => ask(data.question as string);
  return {
    free,
    hinted: (problem) => free(problem) + hint(problem.gold[0]!),
    shots: (form) =>
      shotsOf(
        examples.map(({ question, solution, answer }) => ({
          prompt: ask(question) + (form === 'hinted' ? hint(answer) : ''),
          completion: complete(solution, answer),
        })),
      ),
    direct: {
      shots: () =>
        shotsOf(examples.map(({ question, answer }) => ({ prompt: ask(question), completion: direct(answer) }))),
      completion: ({ gold }) => direct(gold[0]!),
    },
  };
}

export const pretrainedDefaults = (): TaskDefaults => ({
  iterations: 3,
  shardSize: 25,
  stages: {
    draw: { count: 200 },
    'fine-tune': {
      steps: { first: 40, growth: 1.2, add: 0 },
      learningRate: 1e-5,
      warmupSteps: 10,
      decay: 'linear',
      batchSize: 8,
      hintedSeeds: 0,
    },
  },
});
