/**
 * Training speed at the reference shape: `STARTRAIL_ENGINE_THREADS=2 npx tsx bench/train.ts [tokens per row …]`.
 *
 * Prints non-padding tokens per second, the median of several slices and their spread, for batches of 48 rows.
 */
import { DecoderConfig, TrainSchedule } from '../schemas/checkpoint.ts';
import { assemble } from '../engine/tfjs/batches.ts';
import { flatten, initialTensors, parameterLayout } from '../engine/tfjs/layout.ts';
import { threads } from '../engine/tfjs/native.ts';
import { stepMode, TrainStep } from '../engine/tfjs/step.ts';

const number = (name: string, otherwise: number) => Number(process.env[name] ?? otherwise);
const config = DecoderConfig.parse({
  vocabSize: number('VOCAB', 20),
  dModel: number('D', 64),
  layers: number('LAYERS', 3),
  heads: number('HEADS', 4),
  dFF: number('DFF', 256),
  activation: process.env.ACTIVATION ?? 'relu',
  context: 512,
});
const batchSize = number('BATCH', 48);
const schedule = TrainSchedule.parse({
  steps: 1e6,
  learningRate: 1e-3,
  warmupSteps: 10,
  decay: 'constant',
  batchSize,
  clipNorm: 1,
});
const layout = parameterLayout(config);
const zeros = () => new Float32Array(layout.size);
const weights = flatten(layout, initialTensors(config, '0'.repeat(32)));
const lengths = process.argv.slice(2).map(Number);
for (const length of lengths.length > 0 ? lengths : [50, 96]) {
  const step = new TrainStep(layout, schedule, { weights, first: zeros(), second: zeros() });
  // A fifth of each row is its prompt; lengths differ by up to 4%, as after bucketing.
  const rows = Array.from({ length: batchSize }, (_, row) => ({
    tokens: Int32Array.from(
      { length: length + 1 - (row % (1 + Math.floor(length / 25))) },
      (_, i) => (i * 7 + row) % config.vocabSize,
    ),
    promptLength: Math.floor(length / 5),
  }));
  const batch = assemble(rows, 0);
  let done = 0;
  const slice = (steps: number) => {
    const start = performance.now();
    for (let i = 0; i < steps; i++) step.run([batch], done++, 1e-3);
    return (steps * batch.tokens) / ((performance.now() - start) / 1000);
  };
  slice(5);
  const steps = number('STEPS', 10);
  const speeds = Array.from({ length: 7 }, () => slice(steps)).sort((a, b) => a - b);
  const [low, median, high] = [speeds[0]!, speeds[3]!, speeds[6]!].map(Math.round);
  console.log(
    `${stepMode()}, ${threads} threads, ${batchSize} × ${batch.time}: ${median} tokens/s (${low}–${high}), ${layout.size} weights`,
  );
  step.dispose();
}
