import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assemble, BatchOrder, epochBatches, readRows } from '../../engine/tfjs/batches.ts';
import type { TokenRow } from '../../engine/tfjs/batches.ts';
import { uniform } from '../../engine/tfjs/rng.ts';
import { learningRateAt } from '../../engine/tfjs/schedule.ts';
import { openForm } from '../../engine/tfjs/prompt-form.ts';
import { DecoderConfig, TokenizerSpec, TrainSchedule } from '../../schemas/checkpoint.ts';

const SEED = '0123456789abcdef0123456789abcdef';
const rowsOf = (count: number): TokenRow[] =>
  Array.from({ length: count }, (_, row) => ({
    tokens: new Int32Array(30 + Math.floor(66 * uniform(SEED, row))),
    promptLength: 8,
  }));

describe('the order of the data', () => {
  it('uses every row once in each epoch, the partial batch included (I7)', () => {
    for (const count of [1, 47, 48, 49, 500]) {
      const rows = rowsOf(count);
      const order = new BatchOrder(rows, 48, SEED);
      const perEpoch = Math.ceil(count / 48);
      for (const epoch of [0, 1, 2]) {
        const batches = Array.from({ length: perEpoch }, (_, i) => order.at(epoch * perEpoch + i));
        expect(batches.flat().sort((a, b) => a - b)).toEqual(rows.map((_, i) => i));
        expect(batches.filter(({ length }) => length !== 48).length).toBe(count % 48 === 0 ? 0 : 1);
      }
    }
  });

  it('is a function of seed and step, whatever was asked before', () => {
    const rows = rowsOf(200);
    const there = new BatchOrder(rows, 16, SEED);
    const forward = Array.from({ length: 40 }, (_, step) => there.at(step));
    const again = new BatchOrder(rows, 16, SEED);
    for (const step of [39, 0, 17, 12]) expect(again.at(step)).toEqual(forward[step]);
    expect(new BatchOrder(rows, 16, SEED.replace('0', 'f')).at(0)).not.toEqual(forward[0]);
    expect(forward.slice(0, 13)).not.toEqual(forward.slice(13, 26));
  });

  it('keeps padding under 5% for lengths spread over 30–96', () => {
    const rows = rowsOf(2000);
    let read = 0;
    let computed = 0;
    for (const batch of epochBatches(rows, 48, SEED, 0)) {
      const { tokens, ids } = assemble(
        batch.map((row) => rows[row]!),
        0,
      );
      read += tokens;
      computed += ids.length;
    }
    expect(1 - read / computed).toBeLessThan(0.05);
  });
});

describe('the learning rate', () => {
  it('equals the closed form at each step (I8)', () => {
    const base = { steps: 10, learningRate: 0.5, warmupSteps: 4, batchSize: 1, clipNorm: 1 };
    const trace = (decay: string, change = {}) => {
      const schedule = TrainSchedule.parse({ ...base, decay, ...change });
      return Array.from({ length: schedule.steps }, (_, step) => learningRateAt(schedule, step));
    };
    const warmup = [0.125, 0.25, 0.375, 0.5];
    expect(trace('constant')).toEqual([...warmup, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]);
    const u = [0, 1, 2, 3, 4, 5].map((i) => i / 6);
    expect(trace('linear')).toEqual([...warmup, ...u.map((x) => 0.5 * (1 - x))]);
    const cosine = [...warmup, ...u.map((x) => (0.5 * (1 + Math.cos(Math.PI * x))) / 2)];
    trace('cosine').forEach((rate, step) => expect(rate).toBeCloseTo(cosine[step]!, 14));
    expect(trace('linear', { warmupSteps: 0, steps: 4 })).toEqual([0.5, 0.375, 0.25, 0.125]);
    expect(trace('cosine', { warmupSteps: 10 })).toEqual(Array.from({ length: 10 }, (_, i) => (0.5 * (i + 1)) / 10));
  });
});

describe('training rows', () => {
  const spec = TokenizerSpec.parse({ kind: 'pieces', pieces: ['a', 'b', 'c', '<pad>', '<end>'], pad: 3, end: 4 });
  const config = DecoderConfig.parse({
    vocabSize: 5,
    dModel: 8,
    layers: 1,
    heads: 1,
    dFF: 8,
    activation: 'relu',
    context: 8,
  });
  const form = openForm(spec);
  let folder: string;
  beforeAll(async () => void (folder = await mkdtemp(path.join(tmpdir(), 'batches-'))));
  afterAll(() => rm(folder, { recursive: true }));
  const read = async (...lines: unknown[]) => {
    const file = path.join(folder, 'rows.jsonl');
    await writeFile(
      file,
      lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line)) + '\n').join(''),
    );
    return readRows(file, form, config);
  };

  it('end with the end token, or are the sampled ids as they are', async () => {
    const rows = await read(
      { prompt: 'ab', completion: 'c' },
      { prompt: 'a', completion: 'c', completionTokens: [2, 2] },
    );
    expect(rows.map(({ tokens, promptLength }) => [promptLength, ...tokens])).toEqual([
      [2, 0, 1, 2, 4],
      [1, 0, 2, 2],
    ]);
  });

  it('fill the context and no more', async () => {
    expect(await read({ prompt: 'abc', completion: 'abca' })).toHaveLength(1);
    const over = read({ prompt: 'a', completion: 'b' }, { prompt: 'abc', completion: 'abcab' });
    await expect(over).rejects.toThrow(/TrainingDataInvalid: .*row 1 has 9 tokens, the context 8/);
  });

  it('that are wrong are named', async () => {
    const good = { prompt: 'a', completion: 'b' };
    await expect(read(good, '{')).rejects.toThrow(/TrainingDataInvalid: .*row 1 is no JSON/);
    await expect(read({ prompt: 'a' })).rejects.toThrow(/row 0 has a wrong completion/);
    await expect(read(good, good, { ...good, completionTokens: [7] })).rejects.toThrow(/row 2 holds token id 7/);
    await expect(read(good, { prompt: 'ax', completion: 'b' })).rejects.toThrow(/TextNotInVocabulary: .*row 1: "x"/);
    await expect(read()).rejects.toThrow(/has no rows/);
  });
});
