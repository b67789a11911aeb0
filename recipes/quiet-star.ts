/**
 * Quiet-STaR: a model learns plain text with a thought before each token, and to think what makes the text that follows likelier.
 *
 * Nothing is judged: the reward of a thought is the likelihood of the next true tokens behind it, against that of the other thoughts of the same
 * place. `quiet-star-pause` has as many tokens without thoughts, `quiet-star-silent` the text alone; `losses` says what kinds of tokens
 * cost, as the model is, behind its thoughts, and behind the thoughts of other texts. `score` samples without thoughts. Sizes are the task's.
 * Source: Zelikman et al., arXiv:2403.09629; against it: a model made from scratch, halves and positive part as in the released code.
 */
import { defineRecipe } from '../schemas/recipe.ts';

export default defineRecipe({
  id: 'quiet-star',
  source: 'arXiv:2403.09629',
  stages: {
    batch: { use: 'draw', in: { problems: '$train' } },
    next: {
      use: 'think',
      in: { problems: 'batch', from: '$base' },
      with: { tokens: 4, ahead: 2, passes: 2, policy: 1 },
    },
    losses: { use: 'perplexity', in: { model: 'next', test: '$test' } },
    score: { use: 'evaluate', in: { model: 'next', dev: '$dev', test: '$test' } },
  },
  carry: { model: 'next' },
  stop: { plateau: 'score.dev.accuracy', patience: 3, atMost: 1 },
});
