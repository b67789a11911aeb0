/** The calculator against whole numbers of JavaScript, and what it says of a call that is none. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { calculate } from '../../tools/calculator.ts';

/** An expression of whole numbers, and its value by BigInt. */
const { sum } = fc.letrec<{ sum: [string, bigint]; factor: [string, bigint] }>((tie) => ({
  factor: fc.oneof(
    { depthSize: 'small' },
    fc.bigInt(0n, 10n ** 12n).map((n): [string, bigint] => [String(n), n]),
    tie('sum').map(([text, n]): [string, bigint] => [`(${text})`, n]),
    tie('factor').map(([text, n]): [string, bigint] => [`-${text}`, -n]),
  ),
  sum: fc
    .tuple(tie('factor'), fc.constantFrom('+', '-', '*'), tie('factor'), fc.constantFrom('+', '-'), tie('factor'))
    .map(([[a, x], first, [b, y], second, [c, z]]): [string, bigint] => {
      const left = first === '*' ? x * y : first === '+' ? x + y : x - y;
      return [`${a} ${first}${b}${second} ${c}`, second === '+' ? left + z : left - z];
    }),
}));

describe('the calculator', () => {
  it('gives what BigInt gives, for every expression of whole numbers', () => {
    fc.assert(
      fc.property(sum, ([text, value]) => {
        if (text.length > 200) return;
        expect(calculate(text)).toBe(String(value));
      }),
    );
  });

  it.each([
    ['347*582+913', '202867'],
    ['0.1+0.2', '0.3'],
    ['1/3+1/6', '0.5'],
    ['2/3', '2/3'],
    ['7-10', '-3'],
    ['2*(3-(4/8))', '5'],
    [' 8 / 2 * 4 ', '16'],
    ['2*-3', '-6'],
  ])('%s = %s', (asked, said) => expect(calculate(asked)).toBe(said));

  it.each([
    '',
    '2*',
    '2**3',
    '(1',
    '1)',
    '1/0',
    '1/(2-2)',
    'a+1',
    '1 2',
    '1.',
    '.5',
    '1e3',
    `${'('.repeat(60)}1`,
    '9'.repeat(201),
  ])('says of %s that it is none, and throws nothing', (asked) => expect(calculate(asked)).toMatch(/^error: /));

  it('gives no number that is longer than a result may be', () =>
    expect(calculate(Array(18).fill('9999999999').join('*'))).toBe('error: the result is too long'));
});
