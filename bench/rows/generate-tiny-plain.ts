/** No prefix to share, no row that ends early: the decoding step alone. */
import { measureGeneration } from '../generation.ts';
import { TINY } from '../models.ts';
import { plainWorkload } from '../prompts.ts';
import { defineRow } from '../row.ts';

export default defineRow({
  name: 'generate-tiny-plain',
  about: 'generation, d=64, 3 layers, 64 prompts of 16 tokens, 96 new tokens each',
  measure: async (context) =>
    measureGeneration(
      await plainWorkload(TINY, { rows: 64, promptTokens: 16 }, context),
      { rowsPerSlice: 64, maxNewTokens: 96, ends: false, batchSizes: [32, 64] },
      context,
    ),
});
