/**
 * B-STaR: each iteration samples at the temperature that balances many right rationales against different ones best, as tried on a
 * few of its problems with the model as it is.
 *
 * Against the paper: no reward model, so no threshold is chosen along with the temperature; it goes on from the last model, but with fresh
 * moments. Hold it against the best of the grid as a fixed temperature (`rest-em` or `expert-iteration` with `…temperature`), not against one
 * of them: a schedule that never moves is no better than that.
 * Source: arXiv:2412.17256 §3 and §4.
 */
import { defineRecipe } from '../schemas/recipe.ts';

export default defineRecipe({
  id: 'b-star',
  source: 'arXiv:2412.17256',
  stages: {
    batch: { use: 'draw', in: { problems: '$train' } },
    tuned: { use: 'balance', in: { problems: 'batch', model: '$model' } },
    sampled: {
      use: 'generate',
      in: { problems: 'batch', model: '$model', sampling: 'tuned' },
      with: { samples: 8, temperature: 0.7 },
    },
    judged: { use: 'verify', in: { rationales: 'sampled' } },
    kept: { use: 'select', in: { rationales: ['judged.correct'] }, with: { perProblem: 10 } },
    next: { use: 'fine-tune', in: { examples: 'kept', seeds: '$seeds', from: '$model' } },
    score: { use: 'evaluate', in: { model: 'next', dev: '$dev', test: '$test' } },
  },
  carry: { model: 'next' },
  stop: { plateau: 'score.dev.accuracy', patience: 3, atMost: 16 },
});
