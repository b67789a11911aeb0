/** LoRA on a randomly initialised decoder of SmolLM2-135M's shape. */
import { smolLm2 } from '../models.ts';
import { defineRow } from '../row.ts';
import { measureTraining } from '../training.ts';

export default defineRow({
  name: 'train-smollm2-lora',
  about: 'training step, LoRA rank 8 on the shape of SmolLM2-135M, 8 × 256 tokens',
  measure: (context) =>
    measureTraining({ config: smolLm2(), batchSize: 8, tokensPerRow: 256, stepsPerSlice: 1, loraRank: 8 }, context),
});
