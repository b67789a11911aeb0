import { describe, expect, it } from 'vitest';
import { assemble } from '../../engine/tfjs/batches.ts';
import type { Batch } from '../../engine/tfjs/batches.ts';
import { flatten, initialTensors, parameterLayout } from '../../engine/tfjs/layout.ts';
import { tf } from '../../engine/tfjs/native.ts';
import { uniform } from '../../engine/tfjs/rng.ts';
import { stepMode, TrainStep } from '../../engine/tfjs/step.ts';
import type { StepMode } from '../../engine/tfjs/step.ts';
import { DecoderConfig, TrainSchedule } from '../../schemas/checkpoint.ts';

const SEED = 'ffeeddccbbaa99887766554433221100';
const schedule = TrainSchedule.parse({
  steps: 9,
  learningRate: 1e-2,
  warmupSteps: 0,
  decay: 'constant',
  batchSize: 6,
  clipNorm: 0.5,
});
const rowsOf = (batch: number) =>
  Array.from({ length: 6 - (batch % 3) }, (_, row) => ({
    tokens: Int32Array.from({ length: 4 + ((3 * batch + row) % 9) }, (_, i) =>
      Math.floor(uniform(SEED, batch, row, i) * 11),
    ),
    promptLength: 1 + (row % 3),
  }));

function trained(config: DecoderConfig, mode: StepMode, steps: number, clipNorm = schedule.clipNorm) {
  const layout = parameterLayout(config);
  const zeros = () => new Float32Array(layout.size);
  const start = { weights: flatten(layout, initialTensors(config, SEED)), first: zeros(), second: zeros() };
  const step = new TrainStep(layout, { ...schedule, clipNorm }, start, [], mode);
  const losses = Array.from({ length: steps }, (_, i) => step.run([assemble(rowsOf(i), 0)], i, 1e-2));
  const result = { losses, start, ...step.read() };
  step.dispose();
  return result;
}

describe.each(['relu', 'swiglu'] as const)('a step (%s)', (activation) => {
  const config = DecoderConfig.parse({
    vocabSize: 11,
    dModel: 16,
    layers: 2,
    heads: 2,
    dFF: 24,
    activation,
    context: 16,
    tiedEmbeddings: activation === 'relu',
  });

  it('run as a graph gives what it gives op by op, for batches of any shape', () => {
    expect(stepMode()).toBe('graph');
    const before = tf.memory().numTensors;
    const [graph, eager] = [trained(config, 'graph', 9), trained(config, 'eager', 9)];
    for (const [i, loss] of graph.losses.entries()) expect(Math.abs(loss / eager.losses[i]! - 1)).toBeLessThan(1e-5);
    graph.weights.forEach((weight, i) => expect(Math.abs(weight - eager.weights[i]!)).toBeLessThan(1e-4));
    expect(tf.memory().numTensors).toBe(before);
  });

  it('moves the weights as Adam with bias correction and clipping says', () => {
    // Adam in float64 on the gradient that the first moment shows: after one step m = (1 − β₁)·g.
    const { start, first, second, weights } = trained(config, 'graph', 1);
    const g = Float64Array.from(first, (m) => m / (1 - 0.9));
    const norm = Math.sqrt(g.reduce((sum, x) => sum + x * x, 0));
    expect(norm).toBeCloseTo(schedule.clipNorm, 4);
    g.forEach((x, i) => {
      expect(Math.abs(second[i]! - 0.001 * x * x)).toBeLessThan(1e-5 * x * x + 1e-12);
      expect(Math.abs(weights[i]! - (start.weights[i]! - (1e-2 * x) / (Math.abs(x) + 1e-8)))).toBeLessThan(2e-5);
    });
  });

  it('of several batches sums their gradients: as one batch of all their rows', () => {
    const rows = rowsOf(0);
    const layout = parameterLayout(config);
    const zeros = () => new Float32Array(layout.size);
    const start = { weights: flatten(layout, initialTensors(config, SEED)), first: zeros(), second: zeros() };
    const firstOf = (batches: Batch[], mode: StepMode) => {
      const step = new TrainStep(layout, schedule, start, [], mode);
      const losses = [0, 1, 2].map((i) => step.run(batches, i, 1e-3));
      const { weights } = step.read();
      step.dispose();
      return { losses, weights };
    };
    const whole = firstOf([assemble(rows, 0)], 'graph');
    const before = tf.memory().numTensors;
    for (const mode of ['graph', 'eager'] as const) {
      const parts = firstOf(
        rows.map((row) => assemble([row], 0)),
        mode,
      );
      for (const [i, loss] of parts.losses.entries()) expect(Math.abs(loss / whole.losses[i]! - 1)).toBeLessThan(1e-6);
      parts.weights.forEach((weight, i) => expect(Math.abs(weight - whole.weights[i]!)).toBeLessThan(1e-6));
    }
    expect(tf.memory().numTensors).toBe(before);
  });

  it('does not scale a gradient within the norm allowed', () => {
    expect(trained(config, 'graph', 1, 1e3).first).toEqual(trained(config, 'graph', 1, 1e6).first);
  });
});
