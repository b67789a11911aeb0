/**
 * Expert iteration: the expert is the model with several tries and a verifier; what it got right, in all iterations so far, trains the
 * model that it was, not the base.
 *
 * Against `rest-em`: goes on from the last model, and keeps what earlier iterations found, the newest first under the cap.
 * Source: Anthony et al., arXiv:1705.08439, for language models Polu et al., arXiv:2202.01344 §4.
 */
import { defineRecipe } from '../schemas/recipe.ts';

export default defineRecipe({
  id: 'expert-iteration',
  source: 'arXiv:1705.08439; arXiv:2202.01344 §4',
  stages: {
    batch: { use: 'draw', in: { problems: '$train' } },
    sampled: { use: 'generate', in: { problems: 'batch', model: '$model' }, with: { samples: 8, temperature: 0.7 } },
    judged: { use: 'verify', in: { rationales: 'sampled' } },
    kept: { use: 'select', in: { rationales: ['judged.correct'] } },
    pool: { use: 'gather', in: { examples: ['kept', '$kept'] }, with: { perProblem: 10 } },
    next: { use: 'fine-tune', in: { examples: 'pool', seeds: '$seeds', from: '$model' } },
    score: { use: 'evaluate', in: { model: 'next', dev: '$dev', test: '$test' } },
  },
  carry: { model: 'next', kept: 'pool' },
  stop: { plateau: 'score.dev.accuracy', patience: 3, atMost: 16 },
});
