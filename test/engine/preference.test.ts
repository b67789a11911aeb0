/** Direct preference optimization: value and gradient against the plain definition, and what a training by it does. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { PreferenceRow } from '../../engine/engine.ts';
import type { TokenRow } from '../../engine/tfjs/batches.ts';
import { EagerKernels } from '../../engine/tfjs/eager.ts';
import { createTfjsEngine } from '../../engine/tfjs/engine.ts';
import { flatten, initialTensors, parameterLayout, unflatten } from '../../engine/tfjs/layout.ts';
import { tf } from '../../engine/tfjs/native.ts';
import type { Tensor } from '../../engine/tfjs/native.ts';
import { assemblePairs, preference } from '../../engine/tfjs/preference.ts';
import type { TokenPair } from '../../engine/tfjs/preference.ts';
import { uniform } from '../../engine/tfjs/rng.ts';
import { TrainStep } from '../../engine/tfjs/step.ts';
import { DecoderConfig, TrainSchedule } from '../../schemas/checkpoint.ts';
import { expectGradients, expectSlope } from './gradients.ts';
import { FAMILIES, modelFolder, randomModel, seedOf, rightAndWrong } from './models.ts';
import { plainLoss } from './plain-loss.ts';

const SEED = '00112233445566778899aabbccddeeff';
const BETA = 0.3;
const small = { vocabSize: 11, dModel: 16, layers: 2, heads: 2, dFF: 24, activation: 'relu', context: 32 };
// No clipping: the first moment after one step is a tenth of the mean gradient.
const schedule = TrainSchedule.parse({
  ...{ steps: 1, learningRate: 1e-3, warmupSteps: 0, decay: 'constant', batchSize: 4, clipNorm: 1e9 },
});

const rowOf = (row: number, prompt: number, length: number): TokenRow => ({
  // The prompt is that of the pair, the completion the row's own.
  tokens: Int32Array.from({ length: prompt + length }, (_, i) =>
    Math.floor(uniform(SEED, i < prompt ? row >> 1 : 100 + row, i) * 11),
  ),
  promptLength: prompt,
});
const pairs: TokenPair[] = [3, 1, 6, 2].map((prompt, pair) => {
  const [chosen, rejected] = [rowOf(2 * pair, prompt, 2 + pair), rowOf(2 * pair + 1, prompt, 5 - pair)];
  return { tokens: chosen.tokens, chosen, rejected, reference: [-9 - pair, -14 + 3 * pair] };
});

/** Summed over the pairs, in operations that the tape can differentiate. */
function plainPreference(config: DecoderConfig, tensors: Map<string, Tensor>): Tensor {
  let total: any = tf.scalar(0);
  for (const { chosen, rejected, reference } of pairs) {
    const logOf = (row: TokenRow): any => plainLoss(config, [row], tensors).mul(-1);
    const margin = logOf(chosen).sub(reference[0]).sub(logOf(rejected).sub(reference[1]));
    total = total.sub(margin.mul(BETA).sigmoid().log());
  }
  return total;
}

function started(config: DecoderConfig, mode: 'graph' | 'eager') {
  const layout = parameterLayout(config);
  const tensors = initialTensors(config, SEED);
  const zeros = () => new Float32Array(layout.size);
  const state = { weights: flatten(layout, tensors), first: zeros(), second: zeros() };
  return {
    layout,
    tensors,
    state,
    step: new TrainStep(layout, schedule, state, [], mode, { kind: 'preference', beta: BETA }),
  };
}

describe.each([
  ['tied', {}],
  ['untied swiglu, grouped', { activation: 'swiglu', tiedEmbeddings: false, heads: 4, kvHeads: 2 }],
  ['GPT-J', { ...FAMILIES['GPT-J'], heads: 4, rotaryWidth: 2 }],
] as [string, Partial<DecoderConfig>][])('the preference objective (%s)', (_, more) => {
  const config = DecoderConfig.parse({ ...small, ...more });

  it.each(['graph', 'eager'] as const)('has the loss and gradient of its definition, %s', (mode) => {
    const { layout, tensors, step } = started(config, mode);
    const loss = step.run([assemblePairs(pairs, 0)], 0, 1e-3);
    const mine = unflatten(
      layout,
      step.read().first.map((moment) => (moment / (1 - 0.9)) * pairs.length),
    );
    step.dispose();
    expectGradients({ loss, gradients: mine }, tensors, (values) => plainPreference(config, values));
  });

  it('falls along its gradient as fast as finite differences say', () => {
    const { layout, state, step } = started(config, 'graph');
    step.run([assemblePairs(pairs, 0)], 0, 1e-3);
    const gradient = step.read().first.map((moment) => (moment / (1 - 0.9)) * pairs.length);
    step.dispose();
    expectSlope(state.weights, gradient, 1e-2, (weights) => {
      const moved = new TrainStep(layout, schedule, { ...state, weights }, [], 'graph', {
        kind: 'preference',
        beta: BETA,
      });
      const loss = moved.run([assemblePairs(pairs, 0)], 0, 1e-3);
      moved.dispose();
      return loss;
    });
  });

  it('of several batches is that of one', () => {
    const whole = started(config, 'graph');
    const parts = started(config, 'graph');
    const loss = whole.step.run([assemblePairs(pairs, 0)], 0, 1e-3);
    const sum = parts.step.run(
      pairs.map((pair) => assemblePairs([pair], 0)),
      0,
      1e-3,
    );
    expect(Math.abs(sum / loss - 1)).toBeLessThan(1e-6);
    const [a, b] = [whole.step.read().first, parts.step.read().first];
    expect(Math.hypot(...a.map((x, i) => x - b[i]!)) / Math.hypot(...a)).toBeLessThan(1e-5);
    whole.step.dispose();
    parts.step.dispose();
  });
});

describe('a pair', () => {
  it('costs what the formula gives by hand, and its tokens learn σ(−z)·β, the rejected ones the opposite', () => {
    const k = new EagerKernels();
    tf.tidy(() => {
      const ints = (...values: number[]) => tf.tensor1d(Int32Array.from(values), 'int32');
      const inputs = {
        rowOf: ints(0, 0, 1),
        rowCount: tf.scalar(2, 'int32'),
        preferred: ints(0),
        reference: tf.tensor([-2, -1], [2, 1]),
      };
      // log π(y⁺) = −(1 + 0.5), log π(y⁻) = −3: margins 0.5 and −2, so z = 0.2·2.5 = 0.5.
      const { loss, weights } = preference(k, inputs, 0.2)(tf.tensor1d(Float32Array.of(1, 0.5, 3)));
      expect(loss.dataSync()[0]).toBeCloseTo(0.474077, 6);
      const learnt = 0.2 * 0.377541;
      for (const [i, weight] of [learnt, learnt, -learnt].entries())
        expect(weights.dataSync()[i]).toBeCloseTo(weight, 6);
    });
    k.dispose();
  });
});

describe('training by preferences', () => {
  const engine = createTfjsEngine();
  const files = modelFolder();
  afterAll(async () => {
    await engine.close();
    files.clean();
  });

  it('starts at log 2, widens the margin of every pair, gives the same bytes twice, and writes a model that scores', async () => {
    const model = await files.save(randomModel({ layers: 1, dModel: 32, dFF: 64 }, 5));
    const scored = async (checkpoint: typeof model) =>
      engine.score!({
        model: checkpoint,
        rows: rightAndWrong.flatMap(({ prompt, right, wrong }) =>
          [right, wrong].map((completion) => ({ prompt, completion })),
        ),
      });
    const reference = await scored(model);
    const rows = rightAndWrong.map(({ prompt, right, wrong }, n): PreferenceRow => ({
      prompt,
      chosen: { completion: right, reference: reference[2 * n]! },
      rejected: { completion: wrong, reference: reference[2 * n + 1]! },
    }));
    const dataPath = path.join(files.folder, 'pairs.jsonl');
    writeFileSync(dataPath, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const trained = (outputPath: string, steps: number, preference?: { beta: number }) =>
      engine.train({
        start: { kind: 'checkpoint', checkpoint: model },
        dataPath,
        ...(preference && { preference }),
        schedule: { ...schedule, steps, batchSize: 3, clipNorm: 1 },
        seed: seedOf(1),
        outputPath,
      });
    const at = (name: string) => path.join(files.folder, name);
    const one = await trained(at('one'), 1, { beta: 0.1 });
    expect(one.finalLoss).toBeCloseTo(Math.log(2), 5);
    const long = await trained(at('long'), 60, { beta: 0.1 });
    expect(long.finalLoss).toBeLessThan(0.5);
    expect((await trained(at('again'), 60, { beta: 0.1 })).weightsDigest).toBe(long.weightsDigest);
    expect(readFileSync(at('again'))).toEqual(readFileSync(at('long')));
    const after = await scored({ path: at('long'), digest: long.weightsDigest });
    for (const n of rightAndWrong.keys()) {
      const margin = (of: number[]) => of[2 * n]! - of[2 * n + 1]!;
      expect(margin(after)).toBeGreaterThan(margin(reference) + 1);
    }
    await expect(trained(at('none'), 1)).rejects.toMatchObject({ code: 'TrainingDataInvalid' });
  });
});
