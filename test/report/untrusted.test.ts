import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coded, fenced, markup, oneLine, visible } from '../../report/untrusted.ts';

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(fc.constantFrom('`', '```', '\n', '|', '\\', '<', '>', '&', '"', "'", '\u001b[2J', '\u202e', 'a', '\r', ' '))
    .map((all) => all.join('')),
);

const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

describe('text of others', () => {
  it('loses its control characters and direction marks, visibly', () => {
    expect(visible('a\u001b[31mb\u0000\u202ec\r\nd')).toBe('a␛[31mb␀⟨U+202E⟩c\nd');
    fc.assert(
      fc.property(text, (one) => {
        expect(visible(one)).not.toMatch(CONTROL);
      }),
    );
    fc.assert(
      fc.property(text, (one) => {
        expect(oneLine(one)).not.toMatch(/\n/);
      }),
    );
  });

  it('cannot leave element content or a quoted attribute', () => {
    fc.assert(
      fc.property(text, (one) => {
        const { text: made } = markup`<p title="${one}">${one}</p>`;
        expect(made.match(/[<>"']/g)).toEqual(['<', '"', '"', '>', '<', '>']);
        expect(made).not.toMatch(/&(?!amp;|lt;|gt;|quot;|#39;)/);
      }),
    );
  });

  it('is escaped in lists too, and markup is not escaped twice', () => {
    expect(markup`<ul>${['<', markup`<b>${'&'}</b>`, null, false]}</ul>`.text).toBe('<ul>&lt;<b>&amp;</b></ul>');
  });

  it('cannot close its Markdown fence', () => {
    fc.assert(
      fc.property(text, (one) => {
        const [open = '', ...rest] = fenced(one, 'diff').split('\n');
        const fence = /^`+/.exec(open)?.[0] ?? '';
        expect(open).toBe(`${fence}diff`);
        const close = rest.findIndex((line) => line.trim().startsWith(fence));
        expect(close).toBe(rest.length - 1);
      }),
    );
  });

  it('cannot leave its code span or table cell', () => {
    expect(coded('a\\|<img>')).toBe('`a\\ \\|<img>`');
    fc.assert(
      fc.property(text, (one) => {
        const span = coded(one, 1000);
        if (span === '–') return;
        const fence = /^`+/.exec(span)?.[0] ?? '';
        const inside = span.slice(fence.length, -fence.length);
        expect(span.endsWith(fence)).toBe(true);
        expect((inside.match(/`+/g) ?? []).every((run) => run.length < fence.length)).toBe(true);
        expect(inside).not.toMatch(/\n|(?<!\\)\||\\\\\|/);
      }),
    );
  });
});
