/** No prefix to share, no row that ends early, for a model of SmolLM2-135M's shape. */
import { measureGeneration } from '../generation.ts';
import { smolLm2 } from '../models.ts';
import { plainWorkload } from '../prompts.ts';
import { defineRow } from '../row.ts';

export default defineRow({
  name: 'generate-smollm2-plain',
  about: 'generation, shape of SmolLM2-135M, 64 prompts of 16 tokens, 24 new tokens each',
  measure: async (context) =>
    measureGeneration(
      await plainWorkload(smolLm2(), { rows: 64, promptTokens: 16 }, context),
      { rowsPerSlice: 64, maxNewTokens: 24, ends: false, batchSizes: [16, 32, 64] },
      context,
    ),
});
