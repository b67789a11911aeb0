/**
 * V-STaR with an outcome reward model in the place of its preference-trained verifier: what the paper compares itself with.
 *
 * Against `v-star`: no pairs, and none of earlier iterations; every judged rationale of this iteration trains a head that says how
 * likely it is right, problems that all samples solve, or none, included.
 * Sources: Hosseini et al., arXiv:2402.06457 §4 (the "ORM verifier"); Cobbe et al., arXiv:2110.14168.
 */
import { defineRecipe } from '../schemas/recipe.ts';

export default defineRecipe({
  id: 'v-star-reward',
  source: 'arXiv:2402.06457 §4',
  stages: {
    batch: { use: 'draw', in: { problems: '$train' } },
    sampled: { use: 'generate', in: { problems: 'batch', model: '$model' }, with: { samples: 16, temperature: 0.7 } },
    judged: { use: 'verify', in: { rationales: 'sampled' } },
    kept: { use: 'select', in: { rationales: ['judged.correct'] } },
    pool: { use: 'gather', in: { examples: ['kept', '$kept'] }, with: { perProblem: 10 } },
    next: { use: 'fine-tune', in: { examples: 'pool', seeds: '$seeds', from: '$base' } },
    verifier: {
      use: 'reward-model',
      in: { correct: ['judged.correct'], incorrect: ['judged.incorrect'], from: '$base' },
      with: { steps: { first: 300 }, learningRate: 3e-4, warmupSteps: 30, decay: 'linear', batchSize: 32 },
    },
    score: { use: 'evaluate', in: { model: 'next', dev: '$dev', test: '$test' } },
    best: { use: 'rank', in: { model: 'next', verifier: 'verifier', test: '$test' }, with: { samples: 16 } },
  },
  carry: { model: 'next', kept: 'pool' },
  stop: { plateau: 'score.dev.accuracy', patience: 3, atMost: 3 },
});
