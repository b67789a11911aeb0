/**
 * The control: the base is trained again on the seed triples alone, with the steps that `star` would take. What `star` gains
 * over this comes from what the model wrote itself; the rest is more steps.
 */
import { defineRecipe } from '../schemas/recipe.ts';

export default defineRecipe({
  id: 'seeds-only',
  source: 'control of arXiv:2203.14465: no self-generated rows',
  stages: {
    next: { use: 'fine-tune', in: { seeds: '$seeds', from: '$base' } },
    score: { use: 'evaluate', in: { model: 'next', dev: '$dev', test: '$test' } },
  },
  carry: { model: 'next' },
  stop: { plateau: 'score.dev.accuracy', patience: 3, atMost: 16 },
});
