import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainRequest } from '../../engine/engine.ts';
import { initialTensors } from '../../engine/tfjs/layout.ts';
import { tf } from '../../engine/tfjs/native.ts';
import { readCheckpoint, weightsDigest } from '../../engine/tfjs/safetensors.ts';
import { learningRateAt } from '../../engine/tfjs/schedule.ts';
import { train } from '../../engine/tfjs/trainer.ts';
import { DecoderConfig, TokenizerSpec, TrainSchedule } from '../../schemas/checkpoint.ts';
import { cutAt } from './cut.ts';

const SEED = '0123456789abcdef0123456789abcdef';
const config = DecoderConfig.parse({
  vocabSize: 13,
  dModel: 16,
  layers: 2,
  heads: 2,
  dFF: 32,
  activation: 'relu',
  context: 32,
});
const tokenizer = TokenizerSpec.parse({
  kind: 'pieces',
  pieces: [...'0123456789+', '<pad>', '<end>'],
  pad: 11,
  end: 12,
});

let folder: string;
let dataPath: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'trainer-'));
  dataPath = path.join(folder, 'rows.jsonl');
  const rows = Array.from({ length: 53 }, (_, i) => ({ prompt: `${i * 7}+${i}`, completion: String(i * 8) }));
  await writeFile(dataPath, rows.map((row) => JSON.stringify(row) + '\n').join(''));
});
afterAll(() => rm(folder, { recursive: true }));

let outputs = 0;
function request(change: Partial<TrainRequest> = {}, schedule: Partial<TrainSchedule> = {}): TrainRequest {
  return {
    start: { kind: 'fresh', config, tokenizer },
    dataPath,
    schedule: TrainSchedule.parse({
      steps: 24,
      learningRate: 3e-3,
      warmupSteps: 4,
      decay: 'linear',
      batchSize: 8,
      clipNorm: 1,
      ...schedule,
    }),
    seed: SEED,
    outputPath: path.join(folder, `out-${outputs++}.safetensors`),
    ...change,
  };
}
const resumeIn = (name: string, attempt = 1, everyMs = 0) => ({
  folder: path.join(folder, name),
  key: 'k1',
  everyMs,
  attempt,
});

describe('a fine-tune', () => {
  it('gives the same bytes twice, learns, reports its trace and leaves no tensor behind', async () => {
    const before = tf.memory().numTensors;
    const progress: number[] = [];
    const first = request({}, { steps: 120 });
    const a = await train(first, { onProgress: ({ done }) => progress.push(done) });
    const second = request({}, { steps: 120 });
    const b = await train(second);
    expect(b).toEqual(a);
    expect(await readFile(second.outputPath)).toEqual(await readFile(first.outputPath));
    expect(tf.memory().numTensors).toBe(before);
    expect(a.learningRates).toEqual(Array.from({ length: 120 }, (_, step) => learningRateAt(first.schedule, step)));
    expect(a.finalLoss).toBeLessThan(1.7);
    expect(a.resumedFrom).toBe(0);
    expect([progress[0], progress.at(-1)]).toEqual([0, 120]);
    const written = await readCheckpoint(first.outputPath);
    expect(weightsDigest(written.tensors.values())).toBe(a.weightsDigest);
    const otherSeed = await train(request({ seed: SEED.replace('0', 'f') }, { steps: 1 }));
    expect(otherSeed.weightsDigest).not.toBe((await train(request({}, { steps: 1 }))).weightsDigest);
  });

  it('of no steps writes the starting weights unchanged', async () => {
    const one = request({}, { steps: 0, warmupSteps: 0 });
    const result = await train(one);
    const digest = weightsDigest(initialTensors(config, SEED).values());
    expect(result).toEqual({
      weightsDigest: digest,
      steps: 0,
      resumedFrom: 0,
      finalLoss: null,
      learningRates: [],
      tokens: 0,
    });
    const again = request(
      { start: { kind: 'checkpoint', checkpoint: { path: one.outputPath, digest: '' } } },
      { steps: 0 },
    );
    expect((await train(again)).weightsDigest).toBe(digest);
    expect(await readFile(again.outputPath)).toEqual(await readFile(one.outputPath));
  });

  it('from a checkpoint equals one from the same fresh weights: fresh moments, step 0', async () => {
    const base = request({}, { steps: 0 });
    await train(base);
    const fromFile = request({ start: { kind: 'checkpoint', checkpoint: { path: base.outputPath, digest: '' } } });
    expect((await train(fromFile)).weightsDigest).toBe((await train(request())).weightsDigest);
  });

  it('that diverges says so, and writes nothing', async () => {
    const before = tf.memory().numTensors;
    const one = request({}, { learningRate: 1e30, warmupSteps: 0, clipNorm: 1e30, decay: 'constant' });
    const failure: unknown = await train(one).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'TrainingDiverged' });
    // At once, not after the last step.
    expect((failure as Error).message).toMatch(/loss \S+ at step [1-9] of 24/);
    await expect(readFile(one.outputPath)).rejects.toThrow(/ENOENT/);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('stops when told, with the reason given', async () => {
    const controller = new AbortController();
    const running = train(request({}, { steps: 100_000 }), { signal: controller.signal });
    await sleep(100);
    const reason = new Error('no longer wanted');
    controller.abort(reason);
    await expect(running).rejects.toBe(reason);
  });
});

describe('a resumed fine-tune', () => {
  it.each([1, 2, 7, 11, 23])('cut after %i steps gives the bytes of the undisturbed one', async (steps) => {
    const undisturbed = request();
    const expected = await train(undisturbed);
    const name = `cut-${steps}`;
    await cutAt(steps, request({ resume: resumeIn(name) }));
    const left = await readdir(path.join(folder, name));
    expect(left.length).toBe(Math.min(steps, 2));
    const one = request({ resume: resumeIn(name, 2) });
    const result = await train(one);
    expect(result).toEqual({ ...expected, resumedFrom: steps, tokens: result.tokens });
    expect(result.tokens).toBeLessThan(expected.tokens);
    expect(await readFile(one.outputPath)).toEqual(await readFile(undisturbed.outputPath));
    expect(await readdir(path.join(folder, name))).toEqual([]);
  });

  it('passes over torn and damaged snapshots, those of another request, and half-written files', async () => {
    const expected = await train(request());
    const name = 'torn';
    const at = (file: string) => path.join(folder, name, file);
    await cutAt(9, request({ resume: resumeIn(name) }));
    const [older, newer] = (await readdir(path.join(folder, name))).sort() as [string, string];
    expect([older, newer]).toEqual(['step-00000008.attempt-1.safetensors', 'step-00000009.attempt-1.safetensors']);
    await copyFile(at(older), at('step-00000020.attempt-1.safetensors'));
    await truncate(at('step-00000020.attempt-1.safetensors'), 1000);
    const damaged = await readFile(at(newer));
    damaged[damaged.length - 3]! ^= 1;
    await writeFile(at(newer), damaged);
    await writeFile(at('step-00000030.attempt-9.safetensors.77.tmp'), 'half');
    const stranger = resumeIn(name, 1);
    await mkdir(path.join(folder, 'stranger'));
    await cutAt(12, request({ resume: { ...stranger, folder: path.join(folder, 'stranger'), key: 'k2' } }));
    await copyFile(
      path.join(folder, 'stranger', 'step-00000012.attempt-1.safetensors'),
      at('step-00000012.attempt-1.safetensors'),
    );
    const result = await train(request({ resume: resumeIn(name, 2) }));
    expect(result.resumedFrom).toBe(8);
    expect(result.weightsDigest).toBe(expected.weightsDigest);
    expect(await readdir(path.join(folder, name))).toEqual([]);
  });

  it(
    'killed by SIGKILL in a process of its own gives the bytes of the undisturbed one',
    { timeout: 60_000 },
    async () => {
      const steps = { steps: 400 };
      const expected = await train(request({}, steps));
      const one = request({ resume: resumeIn('killed', 1, 20) }, steps);
      const trainer = new URL('../../engine/tfjs/trainer.ts', import.meta.url).href;
      const script = `const { train } = await import(${JSON.stringify(trainer)});
      await train(JSON.parse(process.argv[1]), { onProgress: ({ done }) => console.log(done) });`;
      const args = ['--import', 'tsx', '--input-type=module', '--eval', script, JSON.stringify(one)];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      const snapshots = () => readdir(one.resume!.folder).catch(() => []);
      while ((await snapshots()).length < 2 && child.exitCode === null) await sleep(10);
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      expect(child.signalCode).toBe('SIGKILL');
      const result = await train({ ...one, resume: { ...one.resume!, attempt: 2 } });
      expect(result.resumedFrom).toBeGreaterThan(0);
      expect(result.resumedFrom).toBeLessThan(400);
      expect(result.weightsDigest).toBe(expected.weightsDigest);
      expect(result.finalLoss).toBe(expected.finalLoss);
    },
  );
});
