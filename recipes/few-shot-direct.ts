/**
 * Baseline: the base, asked for the answer at once after a few examples of that. Nothing is trained, so iteration 0 is all.
 *
 *   ./bin/startrail run few-shot-direct --task three-sum --model smollm2
 *
 * Source: arXiv:2203.14465, tables 1 and 2, "Few-shot Direct".
 */
import { defineRecipe } from '../schemas/recipe.ts';

export default defineRecipe({
  id: 'few-shot-direct',
  source: 'arXiv:2203.14465, few-shot direct',
  stages: {
    score: { use: 'evaluate', in: { model: '$base', dev: '$dev', test: '$test' }, with: { prompt: 'direct' } },
  },
  carry: { model: '$base' },
  stop: { plateau: 'score.dev.accuracy', patience: 1, atMost: 1 },
});
