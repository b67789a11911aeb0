import { describe, expect, it } from 'vitest';
import { PieceTokenizer } from '../../engine/tfjs/tokenizer.ts';

const tokenizer = new PieceTokenizer({
  kind: 'pieces',
  pieces: ['<pad>', '<end>', '1', '2', '12', '121', 'é', '😀', '\n', '1'],
  pad: 0,
  end: 1,
});

describe('PieceTokenizer', () => {
  it('matches the longest piece first', () => {
    expect(tokenizer.encode('121122')).toEqual([5, 4, 3]);
    expect(tokenizer.encode('')).toEqual([]);
  });

  it('gives a piece listed twice its first id', () => {
    expect(tokenizer.encode('1')).toEqual([2]);
  });

  it('reads back what it wrote, pad and end skipped', () => {
    const text = '1😀2é\n12';
    expect(tokenizer.decode([0, ...tokenizer.encode(text), 1, 0, 99])).toBe(text);
  });

  it('names the character, its position and the cure', () => {
    expect(() => tokenizer.encode('12x')).toThrow(
      /TextNotInVocabulary: "x" \(U\+0078\) at position 2, after "12".*alphabet/,
    );
    expect(() => tokenizer.encode('1😁')).toThrow(/"😁" \(U\+1F601\) at position 1/);
  });

  it('never reads the names of pad and end as text', () => {
    expect(() => tokenizer.encode('<end>')).toThrow(/TextNotInVocabulary/);
  });
});
