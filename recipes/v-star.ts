/**
 * V-STaR: what the model got wrong is kept too, and trains a verifier that picks the best of several candidates.
 *
 * Against `rest-em`: right rationales of all iterations are kept; pairs of right and wrong ones train a verifier by direct
 * preference optimization, from the base that they are held against; held-out candidates are ranked by it. The paper trains the
 * verifier once, behind the last iteration: this one is trained anew, from the base, in each, and its ranking stands in each record.
 * Source: Hosseini et al., arXiv:2402.06457, algorithm 1.
 */
import { defineRecipe } from '../schemas/recipe.ts';

export default defineRecipe({
  id: 'v-star',
  source: 'arXiv:2402.06457, algorithm 1',
  stages: {
    batch: { use: 'draw', in: { problems: '$train' } },
    sampled: { use: 'generate', in: { problems: 'batch', model: '$model' }, with: { samples: 16, temperature: 0.7 } },
    judged: { use: 'verify', in: { rationales: 'sampled' } },
    kept: { use: 'select', in: { rationales: ['judged.correct'] } },
    pool: { use: 'gather', in: { examples: ['kept', '$kept'] }, with: { perProblem: 10 } },
    next: { use: 'fine-tune', in: { examples: 'pool', seeds: '$seeds', from: '$base' } },
    pairs: { use: 'pairs', in: { correct: ['judged.correct'], incorrect: ['judged.incorrect'], earlier: '$pairs' } },
    verifier: {
      use: 'prefer',
      in: { pairs: 'pairs', from: '$base' },
      with: { steps: { first: 300 }, learningRate: 1e-4, warmupSteps: 30, decay: 'linear', batchSize: 16 },
    },
    score: { use: 'evaluate', in: { model: 'next', dev: '$dev', test: '$test' } },
    best: { use: 'rank', in: { model: 'next', verifier: 'verifier', test: '$test' }, with: { samples: 16 } },
  },
  carry: { model: 'next', kept: 'pool', pairs: 'pairs' },
  stop: { plateau: 'score.dev.accuracy', patience: 3, atMost: 3 },
});
