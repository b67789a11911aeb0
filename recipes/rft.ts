/**
 * RFT, rejection-sampling fine-tuning: sample many rationales of each problem once, keep the right ones that take different
 * steps, train the base on those and the seeds. One pass.
 *
 * The paper samples 100 a problem at temperature 0.7; here 8, `--set stages.sampled.with.samples=100` for the paper's. How many different
 * paths there are of a problem is what its gain comes from, so equal steps count once.
 * Source: arXiv:2308.01825 §3.3; repository OFA-Sys/gsm8k-ScRel.
 */
import { defineRecipe } from '../schemas/recipe.ts';

export default defineRecipe({
  id: 'rft',
  source: 'arXiv:2308.01825 §3.3',
  stages: {
    batch: { use: 'draw', in: { problems: '$train' } },
    sampled: { use: 'generate', in: { problems: 'batch', model: '$base' }, with: { samples: 8, temperature: 0.7 } },
    judged: { use: 'verify', in: { rationales: 'sampled' } },
    kept: { use: 'select', in: { rationales: ['judged.correct'] }, with: { dedup: 'steps' } },
    next: { use: 'fine-tune', in: { examples: 'kept', seeds: '$seeds', from: '$base' } },
    score: { use: 'evaluate', in: { model: 'next', dev: '$dev', test: '$test' } },
  },
  carry: { model: 'next' },
  stop: { plateau: 'score.dev.accuracy', patience: 1, atMost: 1 },
});
