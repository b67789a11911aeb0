/**
 * START: tools inside the text. What greedy sampling fails at and a nudge towards the calculator solves is kept without the nudge
 * (Hint-RFT); what the model then solves by itself, sampled, is kept too (its self-training rounds). From the base each time.
 *
 *   ./bin/startrail run start --task products
 *
 * Source: Li et al., arXiv:2503.04625. There the nudge is put into a text under way, and the rounds follow one after another; here
 * it stands in the prompt, and every iteration does both. 16 samples there, 4 here; at most six calls a text in both.
 */
import { defineRecipe } from '../schemas/recipe.ts';

const tools = ['calculator' as const];

export default defineRecipe({
  id: 'start',
  source: 'arXiv:2503.04625',
  stages: {
    batch: { use: 'draw', in: { problems: '$train' } },
    greedy: { use: 'generate', in: { problems: 'batch', model: '$model' }, with: { tools } },
    judged: { use: 'verify', in: { rationales: 'greedy' } },
    nudged: {
      use: 'rationalize',
      in: { problems: 'judged.unsolved', model: '$model' },
      with: { hint: 'tools', tools },
    },
    second: { use: 'verify', in: { rationales: 'nudged' } },
    sampled: {
      use: 'generate',
      in: { problems: 'batch', model: '$model' },
      with: { samples: 4, temperature: 0.6, topP: 0.95, tools },
    },
    third: { use: 'verify', in: { rationales: 'sampled' } },
    kept: { use: 'select', in: { rationales: ['second.correct', 'third.correct'] }, with: { perProblem: 2 } },
    next: {
      use: 'fine-tune',
      in: { examples: 'kept', seeds: '$seeds', from: '$base' },
      with: { hint: 'tools', tools },
    },
    score: { use: 'evaluate', in: { model: 'next', dev: '$dev', test: '$test' }, with: { tools } },
  },
  carry: { model: 'next' },
  stop: { plateau: 'score.dev.accuracy', patience: 3, atMost: 4 },
});
