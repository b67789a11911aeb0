/** How calls stand in texts: found where they end, and taken out again. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { callAtEnd, callText, piecesOf } from '../../tools/calls.ts';
import type { ToolName } from '../../schemas/tools.ts';

const BOTH: ToolName[] = ['calculator', 'program'];

describe('a call', () => {
  it.each([
    ['so <<2*3=', { tool: 'calculator', asked: '2*3' }],
    ['<<2*<<3=', { tool: 'calculator', asked: '3' }],
    ['```js\nprint(1)\n```\n', { tool: 'program', asked: 'print(1)' }],
    ['```js\nx = 1\nprint(x)\n```\n', { tool: 'program', asked: 'x = 1\nprint(x)' }],
  ])('%j ends with one', (text, call) => expect(callAtEnd(text, BOTH)).toEqual(call));

  it.each(['2*3=', '<<2*3', '<<2*3=6', '<<2=3=', 'js\n1\n```\n', `<<${'1'.repeat(300)}=`])(
    '%j ends with none',
    (text) => expect(callAtEnd(text, BOTH)).toBeUndefined(),
  );

  it('of a tool that may not be used is none', () => expect(callAtEnd('<<2*3=', ['program'])).toBeUndefined());

  it('is found again in the text it stands in, with what the tool said apart', () => {
    const word = fc.stringMatching(/^[a-z .]{0,12}$/);
    const call = fc.record({
      tool: fc.constantFrom(...BOTH),
      asked: fc.stringMatching(/^[0-9+]{1,6}$/),
      said: fc.stringMatching(/^[0-9 ]{0,6}$/),
    });
    fc.assert(
      fc.property(fc.array(fc.tuple(word, call), { maxLength: 4 }), word, (calls, last) => {
        const text =
          calls.map(([before, { tool, asked, said }]) => before + callText(tool, asked, said)).join('') + last;
        const pieces = piecesOf(text, BOTH);
        expect(pieces.map((piece) => piece.text).join('')).toBe(text);
        expect(pieces.filter((piece) => piece.tool).map(({ tool }) => tool)).toEqual(calls.map(([, { tool }]) => tool));
        let own = '';
        for (const { text: piece, tool } of pieces) {
          // Where the tool's words begin, the model has just closed a call.
          if (tool) expect(callAtEnd(own, BOTH)?.tool).toBe(tool);
          own = tool ? '' : own + piece;
        }
      }),
    );
  });
});
