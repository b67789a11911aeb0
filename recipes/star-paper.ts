/**
 * STaR with the paper's own schedule: learning rate 1e-6 after 100 warm-up steps, batches of 8, ⌊40·1.2^(n−1)⌋ steps in
 * iteration n (on arithmetic with hints 300 + 20(n−1), which the task sets), no seed rationales beside the kept ones.
 *
 * Meant for a pretrained model. On a tiny one the rate is too small to learn much: here it is judged by its trace of steps
 * and rates, not by accuracy. Source: arXiv:2203.14465 §4 and appendix H; repository ezelikman/STaR, `iteration_train.py`.
 */
import { defineRecipe } from '../schemas/recipe.ts';

export default defineRecipe({
  id: 'star-paper',
  source: 'arXiv:2203.14465, appendix H',
  stages: {
    batch: { use: 'draw', in: { problems: '$train' }, with: { count: 10_000 } },
    free: { use: 'generate', in: { problems: 'batch', model: '$model' }, with: { samples: 1, temperature: 0 } },
    judged: { use: 'verify', in: { rationales: 'free' } },
    hinted: { use: 'rationalize', in: { problems: 'judged.unsolved', model: '$model' } },
    second: { use: 'verify', in: { rationales: 'hinted' } },
    kept: { use: 'select', in: { rationales: ['judged.correct', 'second.correct'] } },
    next: {
      use: 'fine-tune',
      in: { examples: 'kept', from: '$base' },
      with: {
        steps: { first: 40, growth: 1.2 },
        learningRate: 1e-6,
        warmupSteps: 100,
        decay: 'constant',
        batchSize: 8,
      },
    },
    score: { use: 'evaluate', in: { model: 'next', dev: '$dev', test: '$test' } },
  },
  carry: { model: 'next' },
  stop: { plateau: 'score.dev.accuracy', patience: 16, atMost: 16 },
});
