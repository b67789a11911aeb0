/**
 * What tasks for pretrained models share: few-shot examples in one layout, and sizes that two cores can bear.
 *
 *   shotsOf(EXAMPLES, ({ prompt, completion }) => …)     // "Q: …\nA: …\n\nQ: …\nA: …\n\n"
 *
 * Such a task has no tokenizer: the model brings its own.
 */
import type { TaskDefaults } from '../schemas/run.ts';

/** What comes between two examples, and so what a model writes when it goes on to a question of its own. */
export const GAP = '\n\n';
export const STOP = [`${GAP}Q:`];

/** A base model's line breaks stand in front of what is asked: the completion begins right behind `A:`. */
export const ask = (question: string): string => `Q: ${question}\nA:`;

/** Examples in the form in which the problem behind them will be asked. */
export const shotsOf = (examples: readonly { prompt: string; completion: string }[]): string =>
  examples.map(({ prompt, completion }) => `${prompt}${completion}${GAP}`).join('');

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
