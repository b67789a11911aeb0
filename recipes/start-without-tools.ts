/**
 * START without its tools: the same problems, seeds, nudge, samples and steps, but what stands behind a call the model has to
 * write itself, and learns to. What `start` gains over this is the tool's (QwQ-RFT in the paper's table).
 *
 *   ./bin/startrail run start-without-tools --task products
 *
 * Source: arXiv:2503.04625 §4.
 */
import { Recipe } from '../schemas/recipe.ts';
import start from './start.ts';

export default Recipe.parse({
  ...start,
  id: 'start-without-tools',
  stages: Object.fromEntries(
    Object.entries(start.stages).map(([name, stage]) => {
      const { tools: _, ...options } = stage.with ?? {};
      return [name, { ...stage, with: options }];
    }),
  ),
});
