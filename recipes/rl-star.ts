/**
 * RL-STaR: STaR's objective, the expected reward where 1 is a right answer, followed by its policy gradient on the sampler itself.
 *
 * Against `rest-em`: wrong rationales are learnt from too; the model goes on from where it is, not from the base; and many
 * gradient steps on one batch of samples are held near the sampler by a clipped ratio (GRPO). Temperature 1 is the model's own
 * distribution: at a lower one an iteration gains by sharpening alone, which its control `shuffled-labels` would show.
 * `--set stages.next.with.objective=reinforce` (and `clip` left out) is the plain estimator.
 * Sources: arXiv:2410.23912 (STaR as reinforcement learning), arXiv:2203.14465 equation 1; GRPO: arXiv:2402.03300 §4.1.
 */
import { defineRecipe } from '../schemas/recipe.ts';

export default defineRecipe({
  id: 'rl-star',
  source: 'arXiv:2410.23912; arXiv:2402.03300 §4.1',
  stages: {
    batch: { use: 'draw', in: { problems: '$train' } },
    sampled: { use: 'generate', in: { problems: 'batch', model: '$model' }, with: { samples: 8, temperature: 1 } },
    judged: { use: 'verify', in: { rationales: 'sampled' } },
    samples: { use: 'reward', in: { correct: ['judged.correct'], incorrect: ['judged.incorrect'] } },
    next: {
      use: 'fine-tune',
      in: { samples: 'samples', sampler: '$model', from: '$model' },
      with: {
        objective: 'grpo',
        ...{ steps: { first: 200 }, learningRate: 1e-4, warmupSteps: 20, decay: 'constant', batchSize: 64 },
      },
    },
    score: { use: 'evaluate', in: { model: 'next', dev: '$dev', test: '$test' } },
  },
  carry: { model: 'next' },
  stop: { plateau: 'score.dev.accuracy', patience: 3, atMost: 16 },
});
