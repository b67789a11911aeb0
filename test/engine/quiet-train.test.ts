/** Training with thoughts as the engine does it: a checkpoint with its thoughts, the same bytes twice and taken up again, and costs by part. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { TrainRequest } from '../../engine/engine.ts';
import { createTfjsEngine } from '../../engine/tfjs/engine.ts';
import { readCheckpoint } from '../../engine/tfjs/safetensors.ts';
import { TrainSchedule } from '../../schemas/checkpoint.ts';
import { cutAt } from './cut.ts';
import { modelFolder, randomModel, seedOf } from './models.ts';

const schedule = TrainSchedule.parse({
  ...{ steps: 6, learningRate: 3e-3, warmupSteps: 0, decay: 'constant', batchSize: 4, clipNorm: 1 },
});
const quiet = { tokens: 2, ahead: 2, passes: 2, policy: 1, marker: '=' };

describe('training with thoughts', () => {
  const engine = createTfjsEngine();
  const files = modelFolder();
  afterAll(async () => {
    await engine.close();
    files.clean();
  });
  const at = (name: string) => path.join(files.folder, name);
  const dataPath = at('rows.jsonl');
  const rows = Array.from({ length: 10 }, (_, n) => ({ prompt: `${n}+${(n * 3) % 10}=`, completion: `${n % 7};A` }));
  writeFileSync(dataPath, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const small = randomModel({ layers: 1, dModel: 32, dFF: 64 }, 5);
  const base = files.save(small);
  const trained = async (name: string, more: Partial<TrainRequest> = {}) =>
    engine.train({
      start: { kind: 'checkpoint', checkpoint: await base },
      ...{ dataPath, quiet, schedule, seed: seedOf(1), outputPath: at(name) },
      ...more,
    });
  const parts = rows.map(({ prompt, completion }) => ({ prompt, parts: [...completion] }));

  it('adds thoughts to the model that leave it as it was until something is learnt', async () => {
    const { weightsDigest: digest } = await trained('none', { schedule: { ...schedule, steps: 0 } });
    const { config, tensors } = await readCheckpoint(at('none'));
    expect(config.quiet).toEqual({ tokens: 2 });
    const embedding = tensors.get('model.embed_tokens.weight')!.data;
    const equals = small.tokenizer.kind === 'pieces' ? small.tokenizer.pieces.indexOf('=') : 0;
    expect(tensors.get('quiet.start.weight')!.data).toEqual(embedding.slice(equals * 32, (equals + 1) * 32));
    const found = await engine.costs!({ model: { path: at('none'), digest }, rows: parts });
    const before = await engine.costs!({ model: await base, rows: parts });
    for (const [n, { plain, thinking, shuffled }] of found.entries()) {
      expect(before[n]!.plain).toEqual(plain);
      expect(before[n]!.thinking).toBeUndefined();
      for (const [i, cost] of plain.entries())
        for (const behind of [thinking![i]!, shuffled![i]!]) expect(Math.abs(behind - cost)).toBeLessThan(1e-4);
    }
  });

  it('gives the same bytes twice, others for another seed, and the same when it is taken up in the middle', async () => {
    const whole = await trained('whole');
    expect((await trained('again')).weightsDigest).toBe(whole.weightsDigest);
    expect((await trained('other', { seed: seedOf(2) })).weightsDigest).not.toBe(whole.weightsDigest);
    const folder = at('snapshots');
    mkdirSync(folder);
    const resume = { folder, key: 'k', everyMs: 0, attempt: 1 };
    await cutAt(2, {
      start: { kind: 'checkpoint', checkpoint: await base },
      ...{ dataPath, quiet, schedule, seed: seedOf(1), outputPath: at('cut'), resume },
    });
    const resumed = await trained('resumed', { resume: { ...resume, attempt: 2 } });
    expect(resumed.resumedFrom).toBe(2);
    expect(resumed.weightsDigest).toBe(whole.weightsDigest);
  });

  it('learns behind thoughts and as it is, and costs by part are those of the whole text', async () => {
    const longer = { ...schedule, steps: 60 };
    const { weightsDigest: digest } = await trained('long', { schedule: longer });
    const model = { path: at('long'), digest };
    const sum = (costs: number[]) => costs.reduce((a, b) => a + b, 0);
    const [found, whole, before] = await Promise.all([
      engine.costs!({ model, rows: parts }),
      engine.costs!({ model, rows: rows.map(({ prompt, completion }) => ({ prompt, parts: [completion] })) }),
      engine.costs!({ model: await base, rows: parts }),
    ]);
    let [plain, thinking, start, moved] = [0, 0, 0, 0];
    for (const [n, costs] of found.entries()) {
      expect(sum(costs.plain)).toBeCloseTo(whole[n]!.plain[0]!, 4);
      expect(sum(costs.thinking!)).toBeCloseTo(whole[n]!.thinking![0]!, 3);
      plain += sum(costs.plain);
      thinking += sum(costs.thinking!);
      start += sum(before[n]!.plain);
      moved += Math.abs(sum(costs.thinking!) - sum(costs.plain));
    }
    expect(plain).toBeLessThan(start / 2);
    expect(thinking).toBeLessThan(start / 2);
    expect(moved).toBeGreaterThan(0);
  });

  it('shuffles in the thoughts of the next text of the same lengths; of one that is alone its own of the place behind', async () => {
    const size = { layers: 1, dModel: 32, dFF: 64 };
    const thinks = await files.save(randomModel({ ...size, quiet: { tokens: 2 } }, 5), 'thinks');
    const costsOf = (...prompts: string[]) =>
      engine.costs!({ model: thinks, rows: prompts.map((prompt) => ({ prompt, parts: ['7', ';', 'A'] })) });
    const [own, twin, other, longer] = await costsOf('1+2=', '1+2=', '9+8=', '10+2=');
    const [apart, , alone] = await costsOf('1+2=', '9+8=', '10+2=');
    const close = (some: number[] | undefined, more: number[] | undefined) =>
      some!.every((cost, n) => Math.abs(cost - more![n]!) < 1e-5);
    // Behind its twin's thoughts a text costs what it costs behind its own, behind another's something else.
    expect(close(own!.shuffled, own!.thinking)).toBe(true);
    expect(close(twin!.shuffled, twin!.thinking)).toBe(false);
    expect(close(other!.shuffled, other!.thinking)).toBe(false);
    expect(close(twin!.shuffled, apart!.shuffled)).toBe(true);
    expect(close(longer!.shuffled, longer!.thinking)).toBe(false);
    expect(close(longer!.shuffled, alone!.shuffled)).toBe(true);
    const pauses = await files.save(randomModel({ ...size, quiet: { tokens: 2, pause: true } }, 5), 'pauses');
    const [paused] = await engine.costs!({ model: pauses, rows: parts });
    expect(paused!.shuffled).toEqual(paused!.thinking);
    expect(close(paused!.thinking, paused!.plain)).toBe(false);
  });

  it('refuses an adapter, a marker of several tokens, and other thoughts than the model has', async () => {
    const refused = { code: 'CheckpointInvalid' };
    await expect(trained('a', { adapter: { rank: 2, alpha: 2 } })).rejects.toMatchObject(refused);
    await expect(trained('b', { quiet: { ...quiet, marker: '12' } })).rejects.toMatchObject(refused);
    const { weightsDigest: digest } = await trained('c', { schedule: { ...schedule, steps: 0 } });
    const start = { kind: 'checkpoint' as const, checkpoint: { path: at('c'), digest } };
    await expect(trained('d', { start, quiet: { ...quiet, tokens: 3 } })).rejects.toMatchObject(refused);
  });
});
