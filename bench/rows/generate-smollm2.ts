/** The workload of generate-tiny for a model of SmolLM2-135M's shape; its 256 prompts come in slices of 64. */
import { measureGeneration } from '../generation.ts';
import { smolLm2Workload } from '../prompts.ts';
import { defineRow } from '../row.ts';

export default defineRow({
  name: 'generate-smollm2',
  about: 'generation, shape of SmolLM2-135M, 256 prompts behind one prefix of 300 tokens, at most 96 new tokens',
  measure: async (context) =>
    measureGeneration(
      await smolLm2Workload(256, context),
      { rowsPerSlice: 64, maxNewTokens: 96, ends: true, batchSizes: [16, 32, 64] },
      context,
    ),
});
