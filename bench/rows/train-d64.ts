/** Training at the main job's shape. */
import { TINY } from '../models.ts';
import { defineRow } from '../row.ts';
import { measureTraining } from '../training.ts';

export default defineRow({
  name: 'train-d64',
  about: 'training step, d=64, 3 layers, 48 × 96 tokens',
  measure: (context) => measureTraining({ config: TINY, batchSize: 48, tokensPerRow: 96, stepsPerSlice: 16 }, context),
});
