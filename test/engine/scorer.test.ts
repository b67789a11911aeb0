/** Log-probabilities of completions that are there already: against the plain definition, and apart from their company. */
import { afterAll, describe, expect, it } from 'vitest';
import { tf } from '../../engine/tfjs/native.ts';
import { alive } from '../../engine/tfjs/raw.ts';
import { Sampler } from '../../engine/tfjs/sampler.ts';
import { openTokenizer } from '../../engine/tfjs/tokenizer.ts';
import { FAMILIES, randomModel } from './models.ts';
import { plainDecoder } from './plain-decoder.ts';
import { expectSameBits, scoredRows } from './scored-rows.ts';

const rows = scoredRows(90);

describe.each([
  ['near ties', randomModel({}, 12, true)],
  ['swiglu, untied', randomModel({ activation: 'swiglu', tiedEmbeddings: false, dFF: 172 }, 13)],
  ['GPT-2', randomModel(FAMILIES['GPT-2'], 15)],
  ['GPT-J', randomModel(FAMILIES['GPT-J'], 18)],
  ['Qwen3', randomModel(FAMILIES.Qwen3, 17)],
])('model: %s', (_, model) => {
  const sampler = new Sampler(model);
  afterAll(() => sampler.close());
  const tokenizer = openTokenizer(model.tokenizer);

  it('sums the log-probabilities of the completion, its end token included', async () => {
    const few = rows.slice(0, 6);
    const found = await sampler.score(few);
    for (const [n, { prompt, completion }] of few.entries()) {
      const start = tokenizer.encode(prompt).length;
      const tokens = [...tokenizer.encode(prompt), ...tokenizer.encode(completion), tokenizer.end];
      const expected = tf.tidy(() => {
        const named = new Map(
          [...model.tensors].map(([name, { data, shape }]) => [name, tf.tensor(data, shape)] as const),
        );
        const logits = plainDecoder(model.config, (name) => named.get(name), Int32Array.from(tokens.slice(0, -1)));
        const logProbabilities: any = tf.logSoftmax(logits as any);
        const values = logProbabilities.arraySync() as number[][];
        return tokens.slice(start).reduce((sum, id, at) => sum + values[start + at - 1]![id]!, 0);
      });
      expect(Math.abs(found[n]! / expected - 1), prompt).toBeLessThan(1e-5);
    }
  });

  it('gives a row the same bits alone and in company', async () => {
    await expectSameBits((some) => sampler.score(some), rows);
  });
});

describe('a row', () => {
  const sampler = new Sampler(randomModel({}, 3));
  const tokenizer = openTokenizer(randomModel({}, 3).tokenizer);
  afterAll(() => sampler.close());

  it('with ids is scored by them, with or without an end token', async () => {
    const ids = tokenizer.encode('12,3');
    const [text, whole, cut, none] = await sampler.score([
      { prompt: '5+7=', completion: '12,3' },
      { prompt: '5+7=', completion: 'not read', completionTokens: [...ids, tokenizer.end] },
      { prompt: '5+7=', completion: '12,3', completionTokens: [...ids] },
      { prompt: '5+7=', completion: '', completionTokens: [] },
    ]);
    expect(whole).toBe(text);
    expect(cut).toBeGreaterThan(text!);
    expect(none).toBe(0);
  });

  it('that was sampled greedily is likelier than the same with another token in it', async () => {
    const [sampled] = await sampler.sample({
      rows: [{ prompt: '5+7=', seed: '', maxNewTokens: 12 }],
      sampling: { temperature: 0, topP: 1 },
    });
    const { tokenIds } = sampled!;
    const other = tokenIds.with(-1, (tokenIds.at(-1)! + 1) % 20);
    const score = async (completionTokens: number[]) =>
      (await sampler.score([{ prompt: '5+7=', completion: '', completionTokens }]))[0]!;
    expect(await score(tokenIds)).toBeGreaterThan(await score(other));
  });

  it('that is longer than the context is refused by its number, and nothing leaks', async () => {
    const before = alive();
    const long = { prompt: '1+1=', completion: '2'.repeat(200) };
    await expect(sampler.score([rows[0]!, long])).rejects.toMatchObject({
      code: 'TrainingDataInvalid',
      message: expect.stringContaining('row 1 to score has 205 tokens, the context 128') as string,
    });
    await sampler.score(rows.slice(0, 20));
    const after = alive();
    await sampler.score(rows.slice(0, 20));
    expect(alive()).toBe(after);
    expect(after - before).toBeLessThan(10);
  });
});
