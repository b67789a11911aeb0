/**
 * Policy gradients: the surrogate against its definition and finite differences, and what a training by them does. The estimator
 * itself: policy-estimator.test.ts.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { PolicyRow, TrainRequest } from '../../engine/engine.ts';
import { createTfjsEngine } from '../../engine/tfjs/engine.ts';
import { flatten, initialTensors, parameterLayout } from '../../engine/tfjs/layout.ts';
import { tf } from '../../engine/tfjs/native.ts';
import { assembleSamples, predictedOf } from '../../engine/tfjs/policy.ts';
import type { PolicyAim, Sample } from '../../engine/tfjs/policy.ts';
import { uniform } from '../../engine/tfjs/rng.ts';
import { TrainStep } from '../../engine/tfjs/step.ts';
import { DecoderConfig, TrainSchedule } from '../../schemas/checkpoint.ts';
import { modelFolder, randomModel, seedOf, rightAndWrong } from './models.ts';
import { plainDecoder } from './plain-decoder.ts';

const SEED = '00112233445566778899aabbccddeeff';
const REINFORCE: PolicyAim = { kind: 'policy' };
const GRPO: PolicyAim = { kind: 'policy', clip: 0.2 };
const HELD: PolicyAim = { kind: 'policy', clip: 0.2, kl: 0.5 };
// No clipping of the gradient: the first moment after one step is a tenth of it.
const schedule = TrainSchedule.parse({
  ...{ steps: 1, learningRate: 1e-3, warmupSteps: 0, decay: 'constant', batchSize: 4, clipNorm: 1e9 },
});
const config = DecoderConfig.parse({
  ...{ vocabSize: 11, dModel: 16, layers: 2, heads: 2, dFF: 24, activation: 'relu', context: 32 },
});
/** Fresh weights say nearly the same everywhere. */
const SHARPER = 2;
const layout = parameterLayout(config);
const tensors = initialTensors(config, SEED);
const weights = flatten(layout, tensors).map((weight) => weight * SHARPER);

/** Loss summed over the samples, and its gradient, at these weights. */
function slope(aim: PolicyAim, batches: Sample[][], at = weights, mode: 'graph' | 'eager' = 'eager') {
  const zeros = () => new Float32Array(layout.size);
  const step = new TrainStep(layout, schedule, { weights: at, first: zeros(), second: zeros() }, [], mode, aim);
  const loss = step.run(
    batches.map((samples) => assembleSamples(samples, 0, aim)),
    0,
    1e-3,
  );
  const count = batches.flat().length;
  const gradient = step.read().first.map((moment) => (moment / (1 - 0.9)) * count);
  step.dispose();
  return { loss, gradient };
}
const norm = (of: ArrayLike<number>) => Math.hypot(...Array.from(of));
const apart = (a: Float32Array, b: Float32Array) => norm(a.map((x, i) => x - b[i]!)) / norm(b);

/** Log-probabilities under the weights, moved by up to 0.6 either way: some ratios are inside the clip, some outside. */
const samples: Sample[] = [3, 1, 6, 2, 4].map((prompt, row) => {
  const length = 2 + row;
  const tokens = Int32Array.from({ length: prompt + length }, (_, i) => Math.floor(uniform(SEED, row, i) * 11));
  const own = { tokens, promptLength: prompt };
  const moved = (purpose: number) => (log: number, at: number) => log + 1.2 * (uniform(SEED, purpose, row, at) - 0.5);
  const logs = logsOf(own);
  return {
    ...own,
    advantage: [1.5, -0.7, 0, -1, 0.4][row]!,
    sampled: logs.map(moved(50)),
    reference: logs.map(moved(60)),
  };
});

/** By the plain definition. */
function logsOf({ tokens, promptLength }: Pick<Sample, 'tokens' | 'promptLength'>): number[] {
  return tf.tidy(() => {
    const named = new Map(
      [...tensors].map(([name, { data, shape }]) => [
        name,
        tf.tensor(
          data.map((x) => SHARPER * x),
          shape,
        ),
      ]),
    );
    const logits: any = plainDecoder(config, (name) => named.get(name), tokens.subarray(0, -1));
    const logs = tf.logSoftmax(logits).arraySync() as number[][];
    return Array.from(tokens.subarray(promptLength), (id, at) => logs[promptLength + at - 1]![id]!);
  });
}

describe.each([
  ['REINFORCE', REINFORCE],
  ['GRPO', GRPO],
  ['GRPO, held to a reference', HELD],
] as [string, PolicyAim][])('the surrogate of %s, samples and advantages frozen', (_, aim) => {
  it('is its definition', () => {
    let expected = 0;
    for (const { tokens, promptLength, advantage, sampled, reference } of samples) {
      const logs = logsOf({ tokens, promptLength });
      const terms = logs.map((log, at) => {
        if (aim.clip === undefined) return -advantage * log;
        const ratio = Math.exp(log - sampled![at]!);
        const clipped = Math.min(Math.max(ratio, 1 - aim.clip), 1 + aim.clip);
        const away = reference![at]! - log;
        const held = aim.kl === undefined ? 0 : aim.kl * (Math.exp(away) - away - 1);
        return (held - Math.min(ratio * advantage, clipped * advantage)) / logs.length;
      });
      expected += terms.reduce((sum, term) => sum + term, 0);
    }
    expect(slope(aim, [samples]).loss).toBeCloseTo(expected, 4);
  });

  it.each(['graph', 'eager'] as const)('falls along its gradient as fast as finite differences say, %s', (mode) => {
    const { gradient } = slope(aim, [samples], weights, mode);
    const size = norm(gradient);
    expect(size).toBeGreaterThan(0.05);
    // Along the gradient, and along directions that have nothing to do with it.
    const random = [1, 2, 3].map((n) => gradient.map((_, i) => (uniform(SEED, 70, n, i) - 0.5) * size));
    for (const towards of [gradient, ...random]) {
      const length = norm(towards);
      // The mode shows in the last bits alone, and a graph takes longer to load than to run.
      const lossAt = (by: number) => {
        const moved = weights.map((weight, i) => weight + (by * towards[i]!) / length);
        return slope(aim, [samples], moved, 'eager').loss;
      };
      const by = 3e-4;
      const expected = gradient.reduce((sum, one, i) => sum + one * towards[i]!, 0) / length;
      expect((lossAt(by) - lossAt(-by)) / (2 * by) - expected).toBeLessThan(0.01 * size);
      expect((lossAt(by) - lossAt(-by)) / (2 * by) - expected).toBeGreaterThan(-0.01 * size);
    }
  });

  it('of several batches is that of one', () => {
    const whole = slope(aim, [samples]);
    const parts = slope(aim, [samples.slice(0, 2), samples.slice(2, 3), samples.slice(3)]);
    expect(parts.loss).toBeCloseTo(whole.loss, 4);
    expect(apart(parts.gradient, whole.gradient)).toBeLessThan(1e-4);
  });
});

describe('the ratio', () => {
  const [one] = samples as [Sample];
  const at = (away: number, advantage: number) => {
    const logs = logsOf(one);
    return slope(GRPO, [[{ ...one, advantage, sampled: logs.map((log) => log - away) }]]);
  };

  it('of 1 gives the gradient of REINFORCE, as the mean over tokens', () => {
    const plain = slope(REINFORCE, [[one]]).gradient.map((x) => x / predictedOf(one));
    expect(apart(at(0, one.advantage).gradient, plain)).toBeLessThan(1e-3);
  });

  it('teaches nothing where a step further is clipped, and all where it leads back', () => {
    expect(norm(at(0.3, 1).gradient)).toBe(0);
    expect(norm(at(-0.3, -1).gradient)).toBe(0);
    expect(norm(at(0.3, -1).gradient)).toBeGreaterThan(0.1);
    expect(norm(at(-0.3, 1).gradient)).toBeGreaterThan(0.1);
    expect(norm(at(0.3, -1).gradient) / norm(at(0, -1).gradient)).toBeCloseTo(Math.exp(0.3), 3);
  });

  it('beyond all measure stays a number', () => {
    for (const advantage of [1, -1])
      for (const away of [200, -200]) {
        const { loss, gradient } = at(away, advantage);
        expect(Number.isFinite(loss)).toBe(true);
        expect(gradient.every(Number.isFinite)).toBe(true);
      }
  });

  it('needs the sampler: a sample without its log-probabilities is refused', () => {
    const { sampled: _, ...bare } = one;
    expect(() => assembleSamples([bare], 0, GRPO)).toThrow('sample 0 has 2 tokens');
  });
});

describe('training by a policy gradient', () => {
  const engine = createTfjsEngine();
  const files = modelFolder();
  afterAll(async () => {
    await engine.close();
    files.clean();
  });
  const dataPath = path.join(files.folder, 'samples.jsonl');
  const rows = rightAndWrong.flatMap(({ prompt, right, wrong }): PolicyRow[] => [
    { prompt, completion: right, advantage: 1 },
    { prompt, completion: wrong, advantage: -1 },
  ]);

  it('makes right ones likelier and wrong ones less, the same bytes twice; a ratio and a reference keep it near', async () => {
    const model = await files.save(randomModel({ layers: 1, dModel: 32, dFF: 64 }, 5));
    writeFileSync(dataPath, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const scored = (checkpoint: typeof model) =>
      engine.score!({ model: checkpoint, rows: rows.map(({ prompt, completion }) => ({ prompt, completion })) });
    const before = await scored(model);
    /** How far each sample has gone where its advantage sends it. */
    const trained = async (name: string, policy: NonNullable<TrainRequest['policy']>) => {
      const outputPath = path.join(files.folder, name);
      const { weightsDigest } = await engine.train({
        ...{ start: { kind: 'checkpoint', checkpoint: model }, dataPath, policy, outputPath },
        schedule: { ...schedule, steps: 40, batchSize: 3, clipNorm: 1 },
        seed: seedOf(1),
      });
      const after = await scored({ path: outputPath, digest: weightsDigest });
      return { weightsDigest, moved: after.map((one, n) => (one - before[n]!) * rows[n]!.advantage) };
    };
    const ratio = { sampler: model, clip: 0.2 };
    const free = await trained('free', {});
    const clipped = await trained('clipped', { ratio });
    const held = await trained('held', { ratio, kl: { reference: model, by: 20 } });
    for (const { moved } of [free, clipped])
      for (const [n, by] of moved.entries()) expect(by, rows[n]!.completion).toBeGreaterThan(0);
    expect(norm(clipped.moved)).toBeLessThan(norm(free.moved) / 2);
    expect(norm(held.moved)).toBeLessThan(norm(clipped.moved) / 2);
    expect((await trained('again', { ratio })).weightsDigest).toBe(clipped.weightsDigest);
  });
});
