/**
 * Baseline: the base is trained on the gold answers of all problems drawn, without rationales, and asked without examples.
 * Draw, steps and rates are those of `star`; the form of training and evaluation is another.
 *
 * Source: arXiv:2203.14465, tables 1 and 2, "Direct Finetuned". No seed rationales: it is to answer at once.
 */
import { defineRecipe } from '../schemas/recipe.ts';

export default defineRecipe({
  id: 'direct-fine-tune',
  source: 'arXiv:2203.14465, direct fine-tuning',
  stages: {
    batch: { use: 'draw', in: { problems: '$train' } },
    gold: { use: 'answers', in: { problems: 'batch' } },
    next: { use: 'fine-tune', in: { examples: 'gold', from: '$base' } },
    score: { use: 'evaluate', in: { model: 'next', dev: '$dev', test: '$test' }, with: { prompt: 'direct-plain' } },
  },
  carry: { model: 'next' },
  stop: { plateau: 'score.dev.accuracy', patience: 3, atMost: 16 },
});
