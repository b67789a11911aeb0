/** Training where matrix products weigh more than the number of kernels. */
import { D256 } from '../models.ts';
import { defineRow } from '../row.ts';
import { measureTraining } from '../training.ts';

export default defineRow({
  name: 'train-d256',
  about: 'training step, d=256, 6 layers, 16 × 128 tokens',
  measure: (context) => measureTraining({ config: D256, batchSize: 16, tokensPerRow: 128, stepsPerSlice: 4 }, context),
});
