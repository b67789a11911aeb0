/** Outcome reward models: value and gradient against the plain definition, what a training gives, and what a row is scored by. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { LabelledRow } from '../../engine/engine.ts';
import { readModel } from '../../engine/tfjs/adapter-file.ts';
import { createTfjsEngine } from '../../engine/tfjs/engine.ts';
import { flatten, initialTensors, parameterLayout, unflatten } from '../../engine/tfjs/layout.ts';
import { tf } from '../../engine/tfjs/native.ts';
import type { Tensor } from '../../engine/tfjs/native.ts';
import { REWARD_HEAD } from '../../engine/tfjs/parameters.ts';
import { assembleLabelled, withRewardHead } from '../../engine/tfjs/reward-model.ts';
import type { LabelledTokens } from '../../engine/tfjs/reward-model.ts';
import { uniform } from '../../engine/tfjs/rng.ts';
import { readCheckpoint } from '../../engine/tfjs/safetensors.ts';
import type { Checkpoint } from '../../engine/tfjs/safetensors.ts';
import { Sampler } from '../../engine/tfjs/sampler.ts';
import { TrainStep } from '../../engine/tfjs/step.ts';
import { openTokenizer } from '../../engine/tfjs/tokenizer.ts';
import { DecoderConfig, TrainSchedule } from '../../schemas/checkpoint.ts';
import { expectGradients, expectSlope } from './gradients.ts';
import { additionPrompt, FAMILIES, modelFolder, randomModel, seedOf, rightAndWrong } from './models.ts';
import { plainDecoder } from './plain-decoder.ts';
import { expectSameBits, scoredRows } from './scored-rows.ts';

const SEED = '00112233445566778899aabbccddeeff';
const small = { vocabSize: 11, dModel: 16, layers: 2, heads: 2, dFF: 24, activation: 'relu', context: 32 };
// No clipping: the first moment after one step is a tenth of the mean gradient.
const schedule = TrainSchedule.parse({
  ...{ steps: 1, learningRate: 1e-3, warmupSteps: 0, decay: 'constant', batchSize: 4, clipNorm: 1e9 },
});
const AIM = { kind: 'reward-model' } as const;
const rows: LabelledTokens[] = [5, 3, 9, 1, 6].map((length, row) => ({
  tokens: Int32Array.from({ length }, (_, i) => Math.floor(uniform(SEED, row, i) * 11)),
  promptLength: 1,
  correct: row % 2 === 0,
}));

/** The same model with a head that says something. */
function speaking(model: Checkpoint): Checkpoint {
  const headed = withRewardHead(model);
  const { data } = headed.tensors.get(REWARD_HEAD)!;
  data.forEach((_, i) => (data[i] = uniform(SEED, 7, i) - 0.5));
  return headed;
}
const started = (config: DecoderConfig, mode: 'graph' | 'eager', head = true) => {
  const fresh = { config, tokenizer: randomModel({}, 1).tokenizer, tensors: initialTensors(config, SEED) };
  const model = head ? speaking(fresh) : withRewardHead(fresh);
  const layout = parameterLayout(model.config);
  const zeros = () => new Float32Array(layout.size);
  const state = { weights: flatten(layout, model.tensors), first: zeros(), second: zeros() };
  return { layout, tensors: model.tensors, state, step: new TrainStep(layout, schedule, state, [], mode, AIM) };
};
/** Of the summed loss, after one step. */
const gradientOf = (step: TrainStep) => step.read().first.map((moment) => (moment / (1 - 0.9)) * rows.length);

/** Summed over the rows, in operations that the tape can differentiate. */
function plainLoss(config: DecoderConfig, tensors: Map<string, Tensor>): Tensor {
  let total: any = tf.scalar(0);
  for (const { tokens, correct } of rows) {
    const rewards: any = plainDecoder(config, (name) => tensors.get(name), tokens, 'rewards');
    const z = rewards.slice([tokens.length - 1, 0], [1, 1]).sum();
    total = total.sub((correct ? z : z.mul(-1)).sigmoid().log());
  }
  return total;
}

describe.each([
  ['tied', {}],
  ['untied swiglu, grouped', { activation: 'swiglu', tiedEmbeddings: false, heads: 4, kvHeads: 2 }],
  ['GPT-J', { ...FAMILIES['GPT-J'], heads: 4, rotaryWidth: 2 }],
] as [string, Partial<DecoderConfig>][])('the outcome objective (%s)', (_, more) => {
  const config = DecoderConfig.parse({ ...small, ...more });

  it.each(['graph', 'eager'] as const)('has the loss and gradient of its definition, %s', (mode) => {
    const { layout, tensors, step } = started(config, mode);
    const loss = step.run([assembleLabelled(rows, 0)], 0, 1e-3);
    const mine = unflatten(layout, gradientOf(step));
    step.dispose();
    const asked = new Map([...tensors].filter(([name]) => !name.startsWith('lm_head')));
    const sizes = expectGradients({ loss, gradients: mine }, asked, (values) => plainLoss(config, values));
    expect(sizes.get(REWARD_HEAD)).toBeGreaterThan(0.1);
    // The vocabulary's own layer is not asked.
    for (const name of ['lm_head.weight', 'lm_head.bias'])
      expect(mine.get(name)?.data.every((value) => value === 0) ?? true).toBe(true);
  });

  it('falls along its gradient as fast as finite differences say', () => {
    const { layout, state, step } = started(config, 'graph');
    step.run([assembleLabelled(rows, 0)], 0, 1e-3);
    const gradient = gradientOf(step);
    step.dispose();
    expectSlope(state.weights, gradient, 3e-3, (weights) => {
      const moved = new TrainStep(layout, schedule, { ...state, weights }, [], 'graph', AIM);
      const loss = moved.run([assembleLabelled(rows, 0)], 0, 1e-3);
      moved.dispose();
      return loss;
    });
  });

  it('reads a row to its last token and no padding: whatever fills it, and whatever is beside it', () => {
    const found = [0, 7].map((pad) => {
      const { step } = started(config, 'graph');
      const loss = step.run([assembleLabelled(rows, pad)], 0, 1e-3);
      const gradient = gradientOf(step);
      step.dispose();
      return { loss, gradient };
    });
    const { step } = started(config, 'graph');
    const alone = step.run(
      rows.map((row) => assembleLabelled([row], 0)),
      0,
      1e-3,
    );
    found.push({ loss: alone, gradient: gradientOf(step) });
    step.dispose();
    const [first, ...others] = found;
    for (const { loss, gradient } of others) {
      expect(Math.abs(loss / first!.loss - 1)).toBeLessThan(1e-6);
      const off = Math.hypot(...gradient.map((x, i) => x - first!.gradient[i]!));
      expect(off / Math.hypot(...first!.gradient)).toBeLessThan(1e-5);
    }
  });

  it('starts at log 2 a row: a head of zeros holds every text as likely right as wrong', () => {
    const { step } = started(config, 'graph', false);
    expect(step.run([assembleLabelled(rows, 0)], 0, 1e-3) / rows.length).toBeCloseTo(Math.log(2), 6);
    step.dispose();
  });
});

const texts = scoredRows(90);

describe.each([
  ['near ties', randomModel({}, 12, true)],
  ['swiglu, untied', randomModel({ activation: 'swiglu', tiedEmbeddings: false, dFF: 172 }, 13)],
  ['GPT-2', randomModel(FAMILIES['GPT-2'], 15)],
])('rewards of %s', (_, plain) => {
  const model = speaking(plain);
  const sampler = new Sampler(model);
  afterAll(() => sampler.close());
  const tokenizer = openTokenizer(model.tokenizer);

  it('are the head over the last token, the end token where there is one', async () => {
    const few = texts.slice(0, 6);
    const found = await sampler.score(few);
    for (const [n, { prompt, completion }] of few.entries()) {
      const tokens = [...tokenizer.encode(prompt), ...tokenizer.encode(completion), tokenizer.end];
      const expected = tf.tidy(() => {
        const named = new Map([...model.tensors].map(([name, { data, shape }]) => [name, tf.tensor(data, shape)]));
        const rewards = plainDecoder(model.config, (name) => named.get(name), Int32Array.from(tokens), 'rewards');
        return rewards.dataSync().at(-1)!;
      });
      expect(Math.abs(found[n]! - expected), prompt).toBeLessThan(1e-4 * Math.max(1, Math.abs(expected)));
    }
  });

  it('have the same bits alone and in company', async () => {
    await expectSameBits((rows) => sampler.score(rows), texts);
  });
});

describe('training by labels', () => {
  const engine = createTfjsEngine();
  const files = modelFolder();
  afterAll(async () => {
    await engine.close();
    files.clean();
  });
  const labelled = rightAndWrong.flatMap(({ prompt, right, wrong }): LabelledRow[] => [
    { prompt, completion: right, correct: true },
    { prompt, completion: wrong, correct: false },
  ]);
  const dataPath = path.join(files.folder, 'labelled.jsonl');
  writeFileSync(dataPath, labelled.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const at = (name: string) => path.join(files.folder, name);

  it.each([
    ['every weight', undefined],
    ['an adapter', { rank: 4, alpha: 8 }],
  ])('tells right from wrong, gives the same bytes twice, and writes its head down (%s)', async (name, adapter) => {
    const model = await files.save(randomModel({ layers: 1, dModel: 32, dFF: 64 }, 5));
    const trained = (outputPath: string, steps: number, rewardModel?: true) =>
      engine.train({
        start: { kind: 'checkpoint', checkpoint: model },
        dataPath,
        ...(rewardModel && { rewardModel }),
        ...(adapter && { adapter }),
        schedule: { ...schedule, steps, batchSize: 4, clipNorm: 1, learningRate: 3e-3 },
        seed: seedOf(1),
        outputPath,
      });
    const one = await trained(at(`${name} one`), 1, true);
    expect(one.finalLoss).toBeCloseTo(Math.log(2), 5);
    const long = await trained(at(`${name} long`), 120, true);
    expect(long.finalLoss).toBeLessThan(0.3);
    expect((await trained(at(`${name} again`), 120, true)).weightsDigest).toBe(long.weightsDigest);
    expect(readFileSync(at(`${name} again`))).toEqual(readFileSync(at(`${name} long`)));

    const checkpoint = { path: at(`${name} long`), digest: long.weightsDigest, ...(adapter && { base: model }) };
    const { config, tensors } = await readModel(checkpoint);
    expect(config.rewardHead).toBe(true);
    expect(tensors.get(REWARD_HEAD)?.shape).toEqual([1, 32]);
    const rewards = await engine.score!({ model: checkpoint, rows: labelled });
    for (const [n, { correct }] of labelled.entries()) expect(rewards[n]! > 0).toBe(correct);
    const cost = rewards.reduce((sum, z, n) => sum + Math.log1p(Math.exp(labelled[n]!.correct ? -z : z)), 0);
    expect(cost / rewards.length).toBeLessThan(0.3);
    // Rows without labels, and labels nobody asked for.
    await expect(trained(at('none'), 1)).rejects.toMatchObject({ code: 'TrainingDataInvalid' });
  });

  it('leaves a head alone that a later training by likelihood does not use', async () => {
    const model = speaking(randomModel({ layers: 1, dModel: 32, dFF: 64 }, 6));
    writeFileSync(at('rows'), `${JSON.stringify({ prompt: additionPrompt(1), completion: '12' })}\n`);
    await engine.train({
      start: { kind: 'checkpoint', checkpoint: await files.save(model) },
      dataPath: at('rows'),
      schedule: { ...schedule, steps: 5, clipNorm: 1 },
      seed: seedOf(1),
      outputPath: at('likelihood'),
    });
    const { tensors } = await readCheckpoint(at('likelihood'));
    expect(tensors.get(REWARD_HEAD)?.data).toEqual(model.tensors.get(REWARD_HEAD)?.data);
    expect(tensors.get('model.norm.weight')?.data).not.toEqual(model.tensors.get('model.norm.weight')?.data);
  });
});
