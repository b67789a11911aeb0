/**
 * Baseline: the base, asked to reason first, after a few worked examples. Nothing is trained, so iteration 0 is all: the same
 * as that of `star`, with which it shares the memo.
 *
 * Source: arXiv:2203.14465, tables 1 and 2, "Few-shot CoT".
 */
import { defineRecipe } from '../schemas/recipe.ts';

export default defineRecipe({
  id: 'few-shot-cot',
  source: 'arXiv:2203.14465, few-shot chain of thought',
  stages: {
    score: { use: 'evaluate', in: { model: '$base', dev: '$dev', test: '$test' } },
  },
  carry: { model: '$base' },
  stop: { plateau: 'score.dev.accuracy', patience: 1, atMost: 1 },
});
