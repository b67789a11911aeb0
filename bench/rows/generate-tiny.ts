/** The loop's own workload: prompts that share six worked examples, ended by the model itself. */
import { measureGeneration } from '../generation.ts';
import { tinyWorkload } from '../prompts.ts';
import { defineRow } from '../row.ts';

export default defineRow({
  name: 'generate-tiny',
  about: 'generation, d=64, 3 layers, 256 prompts behind one six-shot prefix, natural end, at most 96 new tokens',
  measure: async (context) =>
    measureGeneration(
      await tinyWorkload(256, context),
      { rowsPerSlice: 256, maxNewTokens: 96, ends: true, batchSizes: [32, 64, 128, 256] },
      context,
    ),
});
