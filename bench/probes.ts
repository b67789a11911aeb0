/** What `bench/slice.ts` measures: a training step and generation of the main job's model, each beside a loop of tfjs. */
import { rmSync, mkdtempSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createTfjsEngine } from '../engine/tfjs/engine.ts';
import { flatten, parameterLayout } from '../engine/tfjs/layout.ts';
import { tf } from '../engine/tfjs/native.ts';
import { TrainStep } from '../engine/tfjs/step.ts';
import { TrainSchedule } from '../schemas/checkpoint.ts';
import { randomTensors, TINY } from './models.ts';
import { plainWorkload } from './prompts.ts';
import type { Probe } from './slice.ts';
import { trainingBatches } from './training.ts';

const ROWS = 24;
const TOKENS = 48;

/** Products, softmax and passes over memory of the sizes of a training step. */
function bigKernels(times: number): void {
  const { dModel, dFF, heads } = TINY;
  tf.tidy(() => {
    const x = tf.fill([ROWS * TOKENS, dModel], 0.1);
    const wide = tf.fill([dModel, dFF], 0.01);
    const scores = tf.fill([ROWS * heads, TOKENS, TOKENS], 0.1);
    for (let i = 0; i < times; i++) {
      tf.tidy(() => {
        const inner = tf.relu(tf.matMul(x, wide));
        tf.matMul(inner, wide, false, true).add(x).mul(0.5);
        tf.softmax(scores);
      });
    }
  });
}

/** Many kernels that are over quickly, as in a step of generation. */
function smallKernels(times: number): void {
  const { dModel } = TINY;
  tf.tidy(() => {
    const x = tf.fill([128, dModel], 0.1);
    const square = tf.fill([dModel, dModel], 0.01);
    for (let i = 0; i < times; i++) tf.tidy(() => void tf.matMul(x, square).add(x).mul(0.5).argMax(-1).dataSync());
  });
}

function training(): Probe & { close(): void } {
  const rates = { steps: 1e6, learningRate: 1e-4, warmupSteps: 0, clipNorm: 1, batchSize: ROWS };
  const schedule = TrainSchedule.parse({ ...rates, decay: 'constant' });
  const layout = parameterLayout(TINY);
  const zeros = () => new Float32Array(layout.size);
  const weights = flatten(layout, randomTensors(TINY));
  const step = new TrainStep(layout, schedule, { weights, first: zeros(), second: zeros() });
  const batches = trainingBatches({ config: TINY, batchSize: ROWS, tokensPerRow: TOKENS, stepsPerSlice: 1 });
  let done = 0;
  return {
    name: 'train',
    async ours() {
      for (const batch of batches) step.run([batch], done++, schedule.learningRate);
    },
    calibration: () => bigKernels(80),
    close: () => step.dispose(),
  };
}

async function generation(folder: string): Promise<Probe & { close(): Promise<void> }> {
  const context = { threads: 1, repetitions: 1, folder, say: () => undefined };
  const { model, prompts } = await plainWorkload(TINY, { rows: 64, promptTokens: 12 }, context);
  const engine = createTfjsEngine();
  const rows = prompts.map((prompt) => ({ prompt, seed: '0'.repeat(32), maxNewTokens: 24 }));
  return {
    name: 'generate',
    async ours() {
      await engine.sample({ model, rows, sampling: { temperature: 0, topP: 1 } });
    },
    calibration: () => smallKernels(800),
    close: () => engine.close(),
  };
}

export async function probes(): Promise<{ made: Probe[]; close(): Promise<void> }> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'startrail-bench-'));
  const [train, generate] = [training(), await generation(folder)];
  return {
    made: [train, generate],
    async close() {
      train.close();
      await generate.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
