/**
 * The control without the filter: `star`, but trained on as many rationales as it would have kept, drawn from all of them. Steps,
 * rows and prompts are those of `star`; what it gains over this comes from the verifier.
 *
 * Source: control of arXiv:2203.14465, algorithm 1, without its line 6.
 */
import { defineRecipe } from '../schemas/recipe.ts';

export default defineRecipe({
  id: 'star-unfiltered',
  source: 'control of arXiv:2203.14465: no filter',
  stages: {
    batch: { use: 'draw', in: { problems: '$train' } },
    free: { use: 'generate', in: { problems: 'batch', model: '$model' }, with: { samples: 1, temperature: 0 } },
    judged: { use: 'verify', in: { rationales: 'free' } },
    hinted: { use: 'rationalize', in: { problems: 'judged.unsolved', model: '$model' } },
    second: { use: 'verify', in: { rationales: 'hinted' } },
    kept: { use: 'select', in: { rationales: ['judged.correct', 'second.correct'] } },
    any: { use: 'unfiltered', in: { rationales: ['free', 'hinted'], like: 'kept' } },
    next: { use: 'fine-tune', in: { examples: 'any', seeds: '$seeds', from: '$base' } },
    score: { use: 'evaluate', in: { model: 'next', dev: '$dev', test: '$test' } },
  },
  carry: { model: 'next' },
  stop: { plateau: 'score.dev.accuracy', patience: 3, atMost: 16 },
});
