/**
 * AdaSTaR: STaR whose problems take turns, the longest ago first and of those the hardest.
 *
 * Against `star`: the draw follows a queue that is carried from iteration to iteration; a weak model moves few of its places on
 * (m·α²), so that what it can do comes again. Its win rate is over the samples there are: one free, and one hinted where that failed.
 * The paper draws until enough rationales are accepted; here, as in all recipes, a fixed number is drawn.
 * Source: arXiv:2505.16322, algorithm 1; repository reiss-koh/AdaSTaR.
 */
import { defineRecipe } from '../schemas/recipe.ts';

export default defineRecipe({
  id: 'ada-star',
  source: 'arXiv:2505.16322, algorithm 1',
  stages: {
    batch: { use: 'draw', in: { problems: '$train', queue: '$queue' } },
    free: { use: 'generate', in: { problems: 'batch', model: '$model' }, with: { samples: 1, temperature: 1 } },
    judged: { use: 'verify', in: { rationales: 'free' } },
    hinted: { use: 'rationalize', in: { problems: 'judged.unsolved', model: '$model' } },
    second: { use: 'verify', in: { rationales: 'hinted' } },
    turns: {
      use: 'turns',
      in: {
        problems: 'batch',
        correct: ['judged.correct', 'second.correct'],
        incorrect: ['judged.incorrect', 'second.incorrect'],
        earlier: '$queue',
      },
    },
    kept: { use: 'select', in: { rationales: ['judged.correct', 'second.correct'] } },
    next: { use: 'fine-tune', in: { examples: 'kept', seeds: '$seeds', from: '$base' } },
    score: { use: 'evaluate', in: { model: 'next', dev: '$dev', test: '$test' } },
  },
  carry: { model: 'next', queue: 'turns' },
  stop: { plateau: 'score.dev.accuracy', patience: 3, atMost: 16 },
});
