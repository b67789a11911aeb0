/**
 * Lean-STaR: expert iteration over proofs that Lean has checked, each tactic behind a thought. Four samples of each theorem; what none
 * of them proves is tried once more with the known tactics as the hint, so that the thoughts are written behind them. From the base
 * each time. `best` gives pass@k on test theorems; ranked by the model's own log-probability.
 *
 *   ./bin/startrail run lean-star --task lean
 *
 * Source: Lin et al., arXiv:2407.10040. There an outside model writes the first thoughts and Lean's state is shown at each step; here
 * the seeds have thoughts, and a proof is written whole. 32 samples there.
 */
import { defineRecipe } from '../schemas/recipe.ts';

export default defineRecipe({
  id: 'lean-star',
  source: 'arXiv:2407.10040',
  stages: {
    batch: { use: 'draw', in: { problems: '$train' } },
    free: { use: 'generate', in: { problems: 'batch', model: '$model' }, with: { samples: 4, temperature: 0.8 } },
    judged: { use: 'verify', in: { rationales: 'free' } },
    hinted: { use: 'rationalize', in: { problems: 'judged.unsolved', model: '$model' } },
    second: { use: 'verify', in: { rationales: 'hinted' } },
    kept: { use: 'select', in: { rationales: ['judged.correct', 'second.correct'] }, with: { perProblem: 4 } },
    next: { use: 'fine-tune', in: { examples: 'kept', seeds: '$seeds', from: '$base' } },
    score: { use: 'evaluate', in: { model: 'next', dev: '$dev', test: '$test' } },
    best: {
      use: 'rank',
      in: { model: 'next', verifier: 'next', test: '$test' },
      with: { samples: 8, temperature: 0.8 },
    },
  },
  carry: { model: 'next' },
  stop: { plateau: 'score.dev.accuracy', patience: 3, atMost: 16 },
});
