/**
 * The loop that RL-STaR's theory is about: sample at temperature 1, keep what ends right, refit on that and nothing else.
 *
 * Against `rest-em`: the model's own distribution is sampled and scored (a lower temperature sharpens, with or without a filter), every
 * right sample counts as often as it came, and no seeds are mixed in, which would hold the model to where it began. It goes on from the
 * last model: refitted to the end, where it began is forgotten.
 * Source: arXiv:2410.23912 (which samples at 0.5 and starts each refit from a model that knows nothing of the chains).
 */
import { defineRecipe } from '../schemas/recipe.ts';

export default defineRecipe({
  id: 'refit',
  source: 'arXiv:2410.23912',
  stages: {
    batch: { use: 'draw', in: { problems: '$train' } },
    sampled: { use: 'generate', in: { problems: 'batch', model: '$model' }, with: { samples: 1, temperature: 1 } },
    judged: { use: 'verify', in: { rationales: 'sampled' } },
    kept: { use: 'select', in: { rationales: ['judged.correct'] }, with: { dedup: false } },
    next: { use: 'fine-tune', in: { examples: 'kept', from: '$model' } },
    score: { use: 'evaluate', in: { model: 'next', dev: '$dev', test: '$test' }, with: { temperature: 1 } },
  },
  carry: { model: 'next' },
  stop: { plateau: 'score.dev.accuracy', patience: 16, atMost: 16 },
});
