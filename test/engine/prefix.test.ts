/** A prefix that all rows share is computed once; what a row gets is what it would get with the text in its own prompt. */
import { afterAll, describe, expect, it } from 'vitest';
import type { SampleRow, Sampling } from '../../engine/engine.ts';
import { Decoder } from '../../engine/tfjs/decoder.ts';
import { alive, free, read } from '../../engine/tfjs/raw.ts';
import { Sampler } from '../../engine/tfjs/sampler.ts';
import { additionPrompt, FAMILIES, randomModel, seedOf } from './models.ts';
import { plainLogits } from './plain-forward.ts';

const VOCAB = 20;
const SLOTS = 8;
const prefixIds = Array.from({ length: 37 }, (_, t) => 2 + ((t * 11 + 5) % 18));
const prefix = '12+34=46\n1+2=3\n77+88=165\n5+5=10\n';

describe.each([
  ['as many key heads as query heads', {}],
  ['two query heads to a key head, swiglu', { kvHeads: 2, activation: 'swiglu' as const, dFF: 72 }],
  ['GPT-2', { ...FAMILIES['GPT-2'], tiedEmbeddings: false }],
  ['GPT-J', FAMILIES['GPT-J']],
  ['Qwen3', FAMILIES.Qwen3],
])('%s', (_, config) => {
  const model = randomModel(config, 21);

  it('logits behind a prefix differ from a plain forward pass over the whole by less than 1e-4', () => {
    const decoder = new Decoder(model);
    const shared = decoder.openPrefix(prefixIds);
    const prompts = [[2], [3, 4, 5], [2, 3, 4, 5, 6, 7, 8, 9], [12, 13, 14, 15, 16, 17]];
    const sequences = prompts.map((prompt) => [...prefixIds, ...prompt]);
    const filled = Array.from({ length: SLOTS }, (_, slot) => prompts[slot] ?? []);
    const { cache, result } = decoder.prefill(filled, 8, 0, 'logits', shared);
    let logits = result;
    const steps: Float32Array[] = [];
    for (let step = 0; step < 20; step++) {
      steps.push(read(logits).slice() as Float32Array);
      free(logits);
      const next = new Int32Array(SLOTS);
      for (const [slot, sequence] of sequences.entries()) {
        next[slot] = 2 + ((step * 5 + slot) % 18);
        sequence.push(next[slot]);
      }
      logits = decoder.step(cache, next, 'logits');
    }
    free(logits);
    cache.close();
    decoder.closePrefix(shared);
    decoder.close();
    let worst = 0;
    for (const [slot, sequence] of sequences.entries()) {
      const expected = plainLogits(model, sequence).slice(prefixIds.length + prompts[slot]!.length - 1);
      for (const [step, values] of steps.entries())
        for (const [id, value] of expected[step]!.entries())
          worst = Math.max(worst, Math.abs(value - values[slot * VOCAB + id]!));
    }
    expect(worst).toBeGreaterThan(0);
    expect(worst).toBeLessThan(1e-4);
  }, 300_000);

  it('greedy tokens are those of rows that carry the text themselves', async () => {
    const sampler = new Sampler(model);
    const rows = Array.from({ length: 40 }, (_, n) => ({
      prompt: additionPrompt(n),
      seed: seedOf(n),
      maxNewTokens: 30,
    }));
    const sampling = { temperature: 0, topP: 1 };
    const shared = await sampler.sample({ rows, sampling, prefix });
    const carried = await sampler.sample({
      rows: rows.map((row) => ({ ...row, prompt: `${prefix}${row.prompt}` })),
      sampling,
    });
    expect(shared.map(({ tokenIds }) => tokenIds)).toEqual(carried.map(({ tokenIds }) => tokenIds));
    const without = await sampler.sample({ rows, sampling });
    expect(without).not.toEqual(shared);
    sampler.close();
  }, 300_000);
});

it('prompt, prefix and completion must fit the context together', async () => {
  const sampler = new Sampler(randomModel({ context: 64 }));
  const rows = [{ prompt: '1+1=', seed: seedOf(1), maxNewTokens: 40 }];
  const sampling = { temperature: 0, topP: 1 };
  expect((await sampler.sample({ rows, sampling }))[0]!.finish).not.toBe('overflow');
  expect((await sampler.sample({ rows, sampling, prefix }))[0]!.finish).toBe('overflow');
  sampler.close();
});

describe('what a process holds', () => {
  it('over 50 calls with changing prefixes and rows no tensor is left, and the resident size stays', async () => {
    const before = alive();
    const sampler = new Sampler(randomModel());
    const call = (n: number) =>
      sampler.sample({
        rows: Array.from({ length: 5 + ((n * 13) % 60) }, (_, row) => ({
          prompt: additionPrompt(row + n),
          seed: seedOf(row),
          maxNewTokens: 4 + ((row + n) % 20),
        })),
        sampling: { temperature: n % 2, topP: 1 },
        // Of few lengths, so that nothing kept by shape grows.
        prefix: n % 5 === 4 ? '' : prefix.slice(0, 8 + (n % 3)),
      });
    // A whole round of sizes: constants are made when they are first needed.
    for (let n = 0; n < 60; n++) await call(n);
    const [tensors, resident] = [alive(), process.memoryUsage.rss()];
    for (let n = 0; n < 60; n++) await call(n);
    expect(Math.abs(alive() - tensors)).toBeLessThanOrEqual(0);
    expect(process.memoryUsage.rss() - resident).toBeLessThan(40e6);
    sampler.close();
    expect(alive()).toBe(before);
  }, 120_000);
});

describe('row independence behind a prefix', () => {
  const rows: SampleRow[] = Array.from({ length: 200 }, (_, n) => ({
    prompt: additionPrompt(n),
    seed: seedOf(n + 1000),
    maxNewTokens: 8 + (n % 24),
  }));
  const sampler = new Sampler(randomModel({ kvHeads: 2 }, 22, true));
  afterAll(() => sampler.close());

  it.each<[string, Sampling]>([
    ['greedy', { temperature: 0, topP: 1 }],
    ['temperature 1', { temperature: 1, topP: 0.95 }],
  ])(
    '200 rows alone and in company get the same ids where logits nearly tie: %s',
    async (_, sampling) => {
      const company = rows.toSorted((a, b) => a.seed.localeCompare(b.seed) || a.maxNewTokens - b.maxNewTokens);
      const shuffled = company.map((_, n) => company[(n * 77) % 200]!);
      const strangers = rows
        .slice(0, 90)
        .map((row, n) => ({ ...row, seed: seedOf(n + 9000), maxNewTokens: 1 + (n % 40) }));
      const together = await sampler.sample({ rows: [...strangers, ...shuffled], sampling, prefix });
      for (const [n, row] of shuffled.entries()) {
        const [alone] = await sampler.sample({ rows: [row], sampling, prefix });
        expect(together[strangers.length + n]!.tokenIds, row.prompt).toEqual(alone!.tokenIds);
      }
    },
    300_000,
  );
});

it('is refused by a model with a window, which would not read through it', async () => {
  const sampler = new Sampler(randomModel({ window: 3 }, 21));
  const rows = [{ prompt: additionPrompt(1), seed: seedOf(0), maxNewTokens: 4 }];
  const sampling = { temperature: 0, topP: 1 };
  await expect(sampler.sample({ rows, sampling, prefix })).rejects.toThrow('a window of 3 tokens');
  expect(await sampler.sample({ rows, sampling })).toHaveLength(1);
  sampler.close();
});
