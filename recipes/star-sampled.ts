/**
 * STaR with sampling: several rationales of each problem instead of the greedy one, hints for what none of them solves.
 *
 * Source: arXiv:2203.14465 §3.1, with the samples of arXiv:2312.06585; between `star` and `rest-em`.
 */
import { defineRecipe } from '../schemas/recipe.ts';

export default defineRecipe({
  id: 'star-sampled',
  source: 'arXiv:2203.14465 §3.1, with several samples',
  stages: {
    batch: { use: 'draw', in: { problems: '$train' } },
    free: { use: 'generate', in: { problems: 'batch', model: '$model' }, with: { samples: 8, temperature: 0.7 } },
    judged: { use: 'verify', in: { rationales: 'free' } },
    hinted: { use: 'rationalize', in: { problems: 'judged.unsolved', model: '$model' } },
    second: { use: 'verify', in: { rationales: 'hinted' } },
    kept: { use: 'select', in: { rationales: ['judged.correct', 'second.correct'] }, with: { perProblem: 10 } },
    next: { use: 'fine-tune', in: { examples: 'kept', seeds: '$seeds', from: '$base' } },
    score: { use: 'evaluate', in: { model: 'next', dev: '$dev', test: '$test' } },
  },
  carry: { model: 'next' },
  stop: { plateau: 'score.dev.accuracy', patience: 3, atMost: 16 },
});
