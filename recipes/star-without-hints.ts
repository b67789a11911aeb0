/**
 * STaR without rationalization: the two hinted stages of `star` are gone, nothing else differs.
 *
 * Source: arXiv:2203.14465, the ablation "STaR without rationalization".
 */
import { defineRecipe } from '../schemas/recipe.ts';

export default defineRecipe({
  id: 'star-without-hints',
  source: 'arXiv:2203.14465, without rationalization',
  stages: {
    batch: { use: 'draw', in: { problems: '$train' } },
    free: { use: 'generate', in: { problems: 'batch', model: '$model' }, with: { samples: 1, temperature: 0 } },
    judged: { use: 'verify', in: { rationales: 'free' } },
    kept: { use: 'select', in: { rationales: ['judged.correct'] } },
    next: { use: 'fine-tune', in: { examples: 'kept', seeds: '$seeds', from: '$base' } },
    score: { use: 'evaluate', in: { model: 'next', dev: '$dev', test: '$test' } },
  },
  carry: { model: 'next' },
  stop: { plateau: 'score.dev.accuracy', patience: 3, atMost: 16 },
});
