import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LocalCheckpoint, TrainRequest } from '../../engine/engine.ts';
import { adapterShapes } from '../../engine/tfjs/adapter.ts';
import { adaptedDigest, readModel } from '../../engine/tfjs/adapter-file.ts';
import { createTfjsEngine } from '../../engine/tfjs/engine.ts';
import { tf } from '../../engine/tfjs/native.ts';
import { readCheckpoint, readSafetensors, weightsDigest } from '../../engine/tfjs/safetensors.ts';
import type { NamedTensor } from '../../engine/tfjs/safetensors.ts';
import { train } from '../../engine/tfjs/trainer.ts';
import { DecoderConfig, TrainSchedule } from '../../schemas/checkpoint.ts';
import { cutAt } from './cut.ts';
import { randomModel, tokenizer } from './models.ts';
import { writeCheckpoint } from '../../engine/tfjs/safetensors.ts';

const SEED = '0123456789abcdef0123456789abcdef';
const options = { rank: 4, alpha: 8 };
const config = DecoderConfig.parse({
  ...{ vocabSize: 20, dModel: 32, layers: 2, heads: 4, dFF: 48, activation: 'swiglu', context: 32 },
});

let folder: string;
let dataPath: string;
let base: LocalCheckpoint;
let other: LocalCheckpoint;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'adapter-'));
  dataPath = path.join(folder, 'rows.jsonl');
  const rows = Array.from({ length: 53 }, (_, i) => ({ prompt: `${i * 7}+${i}=`, completion: String(i * 8) }));
  await writeFile(dataPath, rows.map((row) => JSON.stringify(row) + '\n').join(''));
  const save = async (seed: number): Promise<LocalCheckpoint> => {
    const file = path.join(folder, `base-${seed}.safetensors`);
    const model = randomModel(config, seed);
    await writeCheckpoint(file, model);
    return { path: file, digest: weightsDigest(model.tensors.values()) };
  };
  [base, other] = [await save(1), await save(2)];
});
afterAll(() => rm(folder, { recursive: true }));

let outputs = 0;
function request(change: Partial<TrainRequest> = {}, schedule: Partial<TrainSchedule> = {}): TrainRequest {
  return {
    start: { kind: 'checkpoint', checkpoint: base },
    dataPath,
    adapter: options,
    schedule: TrainSchedule.parse({
      ...{ steps: 24, learningRate: 3e-3, warmupSteps: 4, decay: 'linear', batchSize: 8, clipNorm: 1 },
      ...schedule,
    }),
    seed: SEED,
    outputPath: path.join(folder, `out-${outputs++}.safetensors`),
    ...change,
  };
}

describe('a fine-tune of an adapter', () => {
  it('gives the same bytes twice, learns, leaves its base alone and no tensor behind', async () => {
    const before = tf.memory().numTensors;
    const untouched = await readFile(base.path);
    const one = request({}, { steps: 60, learningRate: 1e-2 });
    const a = await train(one);
    const again = request({}, { steps: 60, learningRate: 1e-2 });
    expect(await train(again)).toEqual(a);
    expect(await readFile(again.outputPath)).toEqual(await readFile(one.outputPath));
    expect(await readFile(base.path)).toEqual(untouched);
    expect(tf.memory().numTensors).toBe(before);
    const first = await train(request({}, { steps: 1 }));
    expect(a.finalLoss).toBeLessThan(first.finalLoss! / 2);
  });

  it('writes the factors alone; its digest covers them and the base', async () => {
    const one = request();
    const { weightsDigest: digest } = await train(one);
    const { tensors } = await readSafetensors(one.outputPath);
    expect([...tensors.keys()].sort()).toEqual(
      adapterShapes(config, options)
        .map(({ name }) => name)
        .sort(),
    );
    const adapter = weightsDigest(tensors.values() as Iterable<NamedTensor>);
    expect(digest).toBe(adaptedDigest(adapter, base.digest));
    expect((await stat(one.outputPath)).size).toBeLessThan((await stat(base.path)).size);
    const elsewhere = await train(request({ start: { kind: 'checkpoint', checkpoint: other } }));
    expect(elsewhere.weightsDigest).not.toBe(digest);
  });

  it('of no steps is the base: a fresh adapter changes nothing', async () => {
    const one = request({}, { steps: 0, warmupSteps: 0 });
    await train(one);
    const merged = await readModel({ path: one.outputPath, base });
    expect(merged.tensors).toEqual((await readCheckpoint(base.path)).tensors);
  });

  it('begins from an adapter of its own seed', async () => {
    const digest = async (seed: string) => (await train(request({ seed }, { steps: 0, warmupSteps: 0 }))).weightsDigest;
    expect(await digest(SEED)).toBe(await digest(SEED));
    expect(await digest(SEED.replace('0', 'f'))).not.toBe(await digest(SEED));
  });

  it.each([1, 7, 23])('cut after %i steps and resumed gives the bytes of the undisturbed one', async (steps) => {
    const undisturbed = request();
    const expected = await train(undisturbed);
    const resume = { folder: path.join(folder, `cut-${steps}`), key: 'k', everyMs: 0, attempt: 1 };
    await cutAt(steps, request({ resume }));
    const one = request({ resume: { ...resume, attempt: 2 } });
    const result = await train(one);
    expect(result).toEqual({ ...expected, resumedFrom: steps, tokens: result.tokens });
    expect(await readFile(one.outputPath)).toEqual(await readFile(undisturbed.outputPath));
    expect(await readdir(resume.folder)).toEqual([]);
  });

  it('is refused on fresh weights and on another adapter', async () => {
    const fresh = request({ start: { kind: 'fresh', config, tokenizer } });
    await expect(train(fresh)).rejects.toMatchObject({ code: 'CheckpointInvalid' });
    const first = request();
    await train(first);
    const checkpoint = { path: first.outputPath, digest: 'sha256:a', base };
    const onAdapter = request({ start: { kind: 'checkpoint', checkpoint } });
    await expect(train(onAdapter)).rejects.toThrow(/rests on a whole checkpoint, not on another adapter/);
  });
});

describe('an adapted model', () => {
  it('samples what its merged weights sample, and no other base takes its adapter', async () => {
    const one = request({}, { steps: 60, learningRate: 1e-2 });
    await train(one);
    const merged = path.join(folder, 'merged.safetensors');
    await writeCheckpoint(merged, await readModel({ path: one.outputPath, base }));
    const engine = createTfjsEngine();
    const rows = [0, 1, 2, 3].map((n) => ({ prompt: `${n * 7}+${n}=`, seed: SEED, maxNewTokens: 8 }));
    const sample = (model: LocalCheckpoint) => engine.sample({ model, rows, sampling: { temperature: 0, topP: 1 } });
    const adapted = await sample({ path: one.outputPath, digest: 'sha256:adapted', base });
    expect(adapted).toEqual(await sample({ path: merged, digest: 'sha256:merged' }));
    expect(adapted).not.toEqual(await sample(base));
    await expect(sample({ path: one.outputPath, digest: 'sha256:wrong', base: other })).rejects.toThrow(
      /CheckpointInvalid: .* is an adapter on the weights sha256:\w+, but .* holds sha256:/,
    );
    await expect(sample({ path: one.outputPath, digest: 'sha256:alone' })).rejects.toMatchObject({
      code: 'CheckpointInvalid',
    });
    await engine.close();
  });
});
