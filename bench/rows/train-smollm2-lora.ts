/** LoRA on a randomly initialised decoder of SmolLM2-135M's shape. */
import { smolLm2 } from '../models.ts';
import { defineRow, NotAvailable } from '../row.ts';
import { measureTraining } from '../training.ts';

export default defineRow({
  name: 'train-smollm2-lora',
  about: 'training step, LoRA rank 8 on the shape of SmolLM2-135M, 8 × 256 tokens',
  measure: async (context) => {
    const config = smolLm2();
    // Our half is what the trainer of adapters offers; without it there is nothing to measure.
    const trainer = await import('../../engine/tfjs/step.ts');
    if (!('AdapterStep' in trainer)) throw new NotAvailable('The engine has no training of low-rank adapters yet.');
    return measureTraining({ config, batchSize: 8, tokensPerRow: 256, stepsPerSlice: 1, loraRank: 8 }, context);
  },
});
