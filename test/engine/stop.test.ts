import { describe, expect, it } from 'vitest';
import { StopTexts } from '../../engine/tfjs/stop.ts';
import { PieceTokenizer } from '../../engine/tfjs/tokenizer.ts';

const tokenizer = new PieceTokenizer({
  kind: 'pieces',
  pieces: ['<pad>', '<end>', ...'0123456789', '\n', '\n\n', '7\n', ' '],
  pad: 0,
  end: 1,
});
const stops = new StopTexts(tokenizer, ['\n\n']);
const [seven, line, twoLines, sevenLine] = [9, 12, 13, 14] as const;

describe('a stop text ends a completion', () => {
  it('as if the model had ended there: its own tokens, then the end token', () => {
    expect(stops.cut([seven, twoLines, seven])).toEqual({ tokenIds: [seven, 1], text: '7' });
    expect(stops.cut([seven, line, line])).toEqual({ tokenIds: [seven, 1], text: '7' });
  });

  it('inside a token: the text before it is tokenised anew', () => {
    expect(stops.cut([seven, sevenLine, line])).toEqual({ tokenIds: [seven, seven, 1], text: '77' });
  });

  it('at the very beginning: nothing is left but the end', () => {
    expect(stops.cut([twoLines])).toEqual({ tokenIds: [1], text: '' });
  });

  it('the first of several stops counts', () => {
    expect(new StopTexts(tokenizer, ['\n\n', '8']).cut([seven, 10, twoLines]).text).toBe('7');
  });

  it('is seen with the token that completes it, and not before', () => {
    const ids = [...Array<number>(50).fill(seven), line];
    expect(stops.reached(ids)).toBe(false);
    expect(stops.reached([...ids, line])).toBe(true);
    expect(new StopTexts(tokenizer, []).reached([twoLines])).toBe(false);
  });

  it('what holds no stop stays as it is', () => {
    expect(stops.cut([seven, line, 1])).toEqual({ tokenIds: [seven, line, 1], text: '7\n' });
  });
});
