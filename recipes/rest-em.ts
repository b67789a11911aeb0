/**
 * ReST-EM: sample several rationales of each problem, keep at most ten right ones, train the base on them, repeat from the
 * better sampler. No hints.
 *
 * The paper samples 32 a problem (MATH) at temperature 0.7 among the 40 likeliest tokens; here 8 and the whole vocabulary.
 * Source: arXiv:2312.06585 §3 and §4 (the cap, the base as the start of every M step).
 */
import { defineRecipe } from '../schemas/recipe.ts';

export default defineRecipe({
  id: 'rest-em',
  source: 'arXiv:2312.06585 §3',
  stages: {
    batch: { use: 'draw', in: { problems: '$train' } },
    sampled: { use: 'generate', in: { problems: 'batch', model: '$model' }, with: { samples: 8, temperature: 0.7 } },
    judged: { use: 'verify', in: { rationales: 'sampled' } },
    kept: { use: 'select', in: { rationales: ['judged.correct'] }, with: { perProblem: 10 } },
    next: { use: 'fine-tune', in: { examples: 'kept', seeds: '$seeds', from: '$base' } },
    score: { use: 'evaluate', in: { model: 'next', dev: '$dev', test: '$test' } },
  },
  carry: { model: 'next' },
  stop: { plateau: 'score.dev.accuracy', patience: 3, atMost: 16 },
});
