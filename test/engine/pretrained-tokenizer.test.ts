import { describe, expect, it } from 'vitest';
import { openTokenizer } from '../../engine/tfjs/tokenizer.ts';
import type { HuggingFaceSpec } from '../../schemas/checkpoint.ts';
import { tokenizerJson } from './pretrained-files.ts';

const spec: HuggingFaceSpec = {
  ...{ kind: 'huggingface', tokenizer: JSON.stringify(tokenizerJson), size: 261 },
  ...{ pad: 259, end: 260, ends: [259], begin: 258 },
};
const tokenizer = openTokenizer(spec);
const bytes = (text: string) => [...Buffer.from(text)];

describe('a pretrained tokenizer', () => {
  it('merges, and keeps begin and end out of encode', () => {
    expect(tokenizer.encode('he the')).toEqual([256, 257, 256]);
    expect(tokenizer.encode('')).toEqual([]);
    expect([tokenizer.begin, tokenizer.end, tokenizer.pad, tokenizer.size]).toEqual([[258], 260, 259, 261]);
  });

  it('gives text back, characters split over ids too', () => {
    const text = '😀 é\u0000\u0085\ufeff中文\r\n';
    expect(tokenizer.encode(text)).toEqual(bytes(text));
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    expect(tokenizer.decode(bytes('😀').slice(0, 3))).toBe('\ufffd');
  });

  it('reads special tokens in a text, and prints neither them nor ids without a token', () => {
    const ids = tokenizer.encode('<|begin|>he<|im_end|>');
    expect(ids).toEqual([258, 256, 260]);
    expect(tokenizer.decode([...ids, 259, 263])).toBe('he');
    expect(tokenizer.decode([260])).toBe('');
  });

  it('ends with each of the ids that end', () => {
    expect([256, 258, 259, 260].map((id) => tokenizer.isEnd(id))).toEqual([false, false, true, true]);
  });

  it('takes digits of every script apart where the description says digits', () => {
    const digits = { type: 'Digits', individual_digits: true };
    const pre = { type: 'Sequence', pretokenizers: [digits, tokenizerJson.pre_tokenizer] };
    // A merge over two Arabic digits: never applied, since they are apart.
    const [d9, a1] = ['Ù', '¡'];
    const vocab = { ...tokenizerJson.model.vocab, [`${d9}${a1}`]: 256, [`${d9}${a1}${d9}`]: 257 };
    const model = { ...tokenizerJson.model, vocab, merges: [`${d9} ${a1}`, `${d9}${a1} ${d9}`] };
    const apart = openTokenizer({
      ...spec,
      tokenizer: JSON.stringify({ ...tokenizerJson, pre_tokenizer: pre, model }),
    });
    expect(apart.encode('١٢')).toEqual([256, 0xd9, 0xa2]);
  });

  it('leaves a character that the vocabulary lacks out before its neighbours merge', () => {
    const { Ć: _lost, ...vocab } = tokenizerJson.model.vocab;
    const model = { ...tokenizerJson.model, vocab: { ...vocab, 'Ġ-': 256 }, merges: ['Ġ -'] };
    expect(
      openTokenizer({ ...spec, tokenizer: JSON.stringify({ ...tokenizerJson, model }) }).encode(' \u0006-'),
    ).toEqual([256]);
  });
});
