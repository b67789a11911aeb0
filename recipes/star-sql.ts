/**
 * STaR-SQL: STaR for questions to a database. Four samples of each question, and twelve more where at most one of them gives what
 * the gold query gives: without that the easy questions crowd out the hard ones. What none of them solves is tried once more with
 * the gold query as the hint; training starts from the base each time. All that was judged trains an outcome reward model, which
 * picks the best of eight candidates of each test question.
 *
 *   ./bin/startrail run star-sql --task sql
 *
 * Source: He et al., arXiv:2502.13550. There: 8 samples, best of 16; how many more the hard ones get is not said.
 */
import { defineRecipe } from '../schemas/recipe.ts';

export default defineRecipe({
  id: 'star-sql',
  source: 'arXiv:2502.13550',
  stages: {
    batch: { use: 'draw', in: { problems: '$train' } },
    free: { use: 'generate', in: { problems: 'batch', model: '$model' }, with: { samples: 4, temperature: 0.8 } },
    judged: { use: 'verify', in: { rationales: 'free' } },
    hard: {
      use: 'hard',
      in: { correct: ['judged.correct'], incorrect: ['judged.incorrect'] },
      with: { atMost: 0.25 },
    },
    more: {
      use: 'generate',
      in: { problems: 'hard', model: '$model' },
      with: { samples: 12, firstSample: 4, temperature: 0.8 },
    },
    again: { use: 'verify', in: { rationales: 'more' } },
    hinted: { use: 'rationalize', in: { problems: 'again.unsolved', model: '$model' } },
    second: { use: 'verify', in: { rationales: 'hinted' } },
    kept: {
      use: 'select',
      in: { rationales: ['judged.correct', 'again.correct', 'second.correct'] },
      with: { perProblem: 4 },
    },
    next: { use: 'fine-tune', in: { examples: 'kept', seeds: '$seeds', from: '$base' } },
    score: { use: 'evaluate', in: { model: 'next', dev: '$dev', test: '$test' } },
    reward: {
      use: 'reward-model',
      in: {
        correct: ['judged.correct', 'again.correct'],
        incorrect: ['judged.incorrect', 'again.incorrect'],
        from: '$base',
      },
    },
    best: {
      use: 'rank',
      in: { model: 'next', verifier: 'reward', test: '$test' },
      with: { samples: 8, temperature: 0.8 },
    },
  },
  carry: { model: 'next' },
  stop: { plateau: 'score.dev.accuracy', patience: 3, atMost: 16 },
});
