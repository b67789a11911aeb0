/**
 * A row's tokens depend on that row alone: the memo answers for a row whatever shard it was asked for in.
 *
 * Models whose logits nearly tie turn any difference in the last bit into another token.
 */
import { afterAll, describe, expect, it } from 'vitest';
import type { SampleRow, Sampling } from '../../engine/engine.ts';
import { Decoder } from '../../engine/tfjs/decoder.ts';
import { free, read } from '../../engine/tfjs/raw.ts';
import { uniform } from '../../engine/tfjs/rng.ts';
import { Sampler } from '../../engine/tfjs/sampler.ts';
import { additionPrompt, FAMILIES, randomModel, seedOf } from './models.ts';

const rows: SampleRow[] = Array.from({ length: 200 }, (_, n) => ({
  prompt: additionPrompt(n),
  seed: seedOf(n + 1000),
  maxNewTokens: 8 + (n % 24),
}));
const greedy: Sampling = { temperature: 0, topP: 1 };
const warm: Sampling = { temperature: 1, topP: 0.95 };

const shuffled = <X>(list: readonly X[], seed: number): X[] =>
  list
    .map((item, n) => ({ item, key: uniform(seedOf(seed), n) }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);

describe.each([
  ['random', randomModel({}, 11)],
  ['near ties', randomModel({}, 12, true)],
  ['swiglu, untied, near ties', randomModel({ activation: 'swiglu', tiedEmbeddings: false, dFF: 172 }, 13, true)],
  ['two query heads to a key head, near ties', randomModel({ kvHeads: 2 }, 14, true)],
  ['GPT-2, near ties', randomModel({ ...FAMILIES['GPT-2'], tiedEmbeddings: false }, 15, true)],
  ['GPT-J', randomModel({ ...FAMILIES['GPT-J'], biases: { mlp: true } }, 18)],
  ['Qwen3, near ties', randomModel(FAMILIES.Qwen3, 17, true)],
])('model: %s', (_, model) => {
  const sampler = new Sampler(model);
  afterAll(() => sampler.close());

  it.each([
    ['greedy', greedy],
    ['temperature 1', warm],
  ])(
    '200 rows alone and in shuffled company get the same ids: %s',
    async (_, sampling) => {
      const alone = new Map<SampleRow, number[]>();
      for (const row of rows) alone.set(row, (await sampler.sample({ rows: [row], sampling }))[0]!.tokenIds);
      expect(new Set([...alone.values()].map(String)).size).toBeGreaterThan(50);
      for (const seed of [1, 2]) {
        // Strangers of other lengths and seeds change slots, batches and when batches end.
        const strangers = Array.from({ length: 77 * seed }, (_, n) => ({
          prompt: additionPrompt(n + 500),
          seed: seedOf(n + 5000),
          maxNewTokens: 1 + (n % 50),
        }));
        const company = shuffled([...rows, ...strangers], seed);
        const together = await sampler.sample({ rows: company, sampling });
        for (const [n, row] of company.entries())
          if (alone.has(row)) expect(together[n]!.tokenIds, row.prompt).toEqual(alone.get(row));
      }
    },
    300_000,
  );

  it('logits are the same bits in every slot', () => {
    const decoder = new Decoder(model);
    const slots = decoder.sizes.at(-1)!;
    const filler = Array.from({ length: slots }, (_, slot) =>
      Array.from({ length: 1 + (slot % 16) }, (_, t) => 2 + ((slot * 3 + t * 7) % 18)),
    );
    const probe = [3, 12, 5, 13, 9];
    const trace = (slot: number): string => {
      const { cache, result } = decoder.prefill(filler.with(slot, probe), 16, 0, 'logits');
      let logits = result;
      const seen: string[] = [];
      for (let step = 0; step < 24; step++) {
        const row = (read(logits) as Float32Array).slice(slot * 20, slot * 20 + 20);
        seen.push(Buffer.from(row.buffer).toString('hex'));
        free(logits);
        const next = Int32Array.from({ length: slots }, (_, n) => 2 + ((n === slot ? step : n + step) % 18));
        logits = decoder.step(cache, next, 'logits');
      }
      free(logits);
      cache.close();
      return seen.join();
    };
    const first = trace(0);
    for (const slot of [1, 2, 3, 7, 15, 16, 31, 63, 64, 65, 100, slots - 2, slots - 1].filter((slot) => slot < slots))
      expect(trace(slot), `slot ${slot}`).toBe(first);
    decoder.close();
  }, 300_000);
});
