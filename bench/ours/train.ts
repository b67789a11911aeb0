/**
 * Our side of training: optimizer steps on the library, without reading data or writing checkpoints around them.
 *
 *   STARTRAIL_ENGINE_THREADS=2 node --import tsx bench/ours/train.ts order.json
 */
import { readFileSync } from 'node:fs';
import { TrainSchedule } from '../../schemas/checkpoint.ts';
import { adapterLayout, frozenBlocks, initialAdapter } from '../../engine/tfjs/adapter.ts';
import type { Batch } from '../../engine/tfjs/batches.ts';
import { flatten, parameterLayout } from '../../engine/tfjs/layout.ts';
import { threads } from '../../engine/tfjs/native.ts';
import { libraryVersion } from '../../engine/tfjs/raw.ts';
import { readCheckpoint } from '../../engine/tfjs/safetensors.ts';
import { stepMode, TrainStep } from '../../engine/tfjs/step.ts';
import type { TrainingOrder } from '../training.ts';
import { serve } from './slices.ts';

await serve(async () => {
  const order = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as TrainingOrder;
  const batches = order.batches.map(({ ids, positions, targets, ...rest }): Batch => ({
    ...rest,
    ids: Int32Array.from(ids),
    positions: Int32Array.from(positions),
    targets: Int32Array.from(targets),
  }));
  const { learningRate, clipNorm, beta1, beta2, epsilon } = order;
  const rates = { learningRate, clipNorm, beta1, beta2, epsilon };
  const schedule = TrainSchedule.parse({
    ...rates,
    steps: 1e6,
    warmupSteps: 0,
    decay: 'constant',
    batchSize: batches[0]!.batch,
  });
  const { tensors } = await readCheckpoint(order.weights);
  const { config, loraRank } = order;
  // As PyTorch's side: alpha = 2 × rank.
  const adapter = loraRank === null ? null : adapterLayout(config, { rank: loraRank, alpha: 2 * loraRank });
  const layout = adapter ?? parameterLayout(config);
  const zeros = () => new Float32Array(layout.size);
  const learned = adapter === null ? tensors : initialAdapter(config, adapter.adapter, '0'.repeat(32));
  const start = { weights: flatten(layout, learned), first: zeros(), second: zeros() };
  const step = new TrainStep(layout, schedule, start, adapter === null ? [] : frozenBlocks(adapter, tensors));
  let done = 0;
  const run = (batch: Batch) => step.run([batch], done++, learningRate);
  const firstLoss = run(batches[0]!) / batches[0]!.targets.length;
  for (const batch of batches.slice(1, 3)) run(batch);
  return {
    facts: {
      name: 'Startrail',
      TensorFlow: libraryVersion,
      step: stepMode(),
      threads,
      weights: layout.size,
      firstLoss,
    },
    async slice() {
      const began = performance.now();
      let tokens = 0;
      for (let i = 0; i < order.stepsPerSlice; i++) {
        const batch = batches[i % batches.length]!;
        run(batch);
        tokens += batch.tokens;
      }
      return { tokens, seconds: (performance.now() - began) / 1000 };
    },
    async close() {
      step.dispose();
    },
  };
});
