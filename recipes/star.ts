/**
 * STaR: sample, keep what is right, try the rest again with the answer as a hint, train the base on both, repeat.
 *
 *   ./bin/startrail run star --task addition
 *
 * Source: arXiv:2203.14465, algorithm 1. The hint is shown when sampling only; what is trained on carries the plain prompt.
 */
import { defineRecipe } from '../schemas/recipe.ts';

export default defineRecipe({
  id: 'star',
  source: 'arXiv:2203.14465, algorithm 1',
  stages: {
    batch: { use: 'draw', in: { problems: '$train' } },
    free: { use: 'generate', in: { problems: 'batch', model: '$model' }, with: { samples: 1, temperature: 0 } },
    judged: { use: 'verify', in: { rationales: 'free' } },
    hinted: { use: 'rationalize', in: { problems: 'judged.unsolved', model: '$model' } },
    second: { use: 'verify', in: { rationales: 'hinted' } },
    kept: { use: 'select', in: { rationales: ['judged.correct', 'second.correct'] } },
    next: { use: 'fine-tune', in: { examples: 'kept', seeds: '$seeds', from: '$base' } },
    score: { use: 'evaluate', in: { model: 'next', dev: '$dev', test: '$test' } },
  },
  carry: { model: 'next' },
  stop: { plateau: 'score.dev.accuracy', patience: 3, atMost: 16 },
});
