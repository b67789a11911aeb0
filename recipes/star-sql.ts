/**
 * STaR-SQL: STaR for questions to a database. Eight samples of each question, kept where the query gives what the gold query
 * gives; what none of them solves is tried again with the gold query as the hint; training starts from the base each time.
 *
 *   ./bin/startrail run star-sql --task sql
 *
 * Source: He et al., arXiv:2502.13550. Left out so far: more samples for hard questions (`perProblem` keeps the easy ones from
 * crowding them out instead), and the outcome reward model with best-of-N.
 */
import { defineRecipe } from '../schemas/recipe.ts';

export default defineRecipe({
  id: 'star-sql',
  source: 'arXiv:2502.13550',
  stages: {
    batch: { use: 'draw', in: { problems: '$train' } },
    free: { use: 'generate', in: { problems: 'batch', model: '$model' }, with: { samples: 8, temperature: 0.8 } },
    judged: { use: 'verify', in: { rationales: 'free' } },
    hinted: { use: 'rationalize', in: { problems: 'judged.unsolved', model: '$model' } },
    second: { use: 'verify', in: { rationales: 'hinted' } },
    kept: { use: 'select', in: { rationales: ['judged.correct', 'second.correct'] }, with: { perProblem: 4 } },
    next: { use: 'fine-tune', in: { examples: 'kept', seeds: '$seeds', from: '$base' } },
    score: { use: 'evaluate', in: { model: 'next', dev: '$dev', test: '$test' } },
  },
  carry: { model: 'next' },
  stop: { plateau: 'score.dev.accuracy', patience: 3, atMost: 16 },
});
