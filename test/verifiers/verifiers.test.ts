import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Problem } from '../../schemas/problem.ts';
import { exact } from '../../verifiers/exact.ts';
import { normalNumber, numeric } from '../../verifiers/numeric.ts';

const problem = (...gold: string[]): Problem => ({ id: 'p', identity: 'p', stratum: 's', data: {}, gold });
const submit = (verifier: typeof exact, gold: string[], answer: string | null) =>
  verifier({ problem: problem(...gold), text: '', answer });

describe('exact', () => {
  it('accepts each accepted form and nothing else', () => {
    expect(submit(exact, ['a', 'b'], 'b')).toEqual({ verdict: 'correct' });
    for (const answer of ['c', 'B', ' b', 'b ', '', 'ab']) {
      expect(submit(exact, ['a', 'b'], answer)).toEqual({
        verdict: 'incorrect',
        why: `answered ${JSON.stringify(answer)}`,
      });
    }
  });
  it('takes no answer for incorrect', () => {
    expect(submit(exact, ['a'], null)).toEqual({ verdict: 'incorrect', why: 'no answer found' });
  });
});

describe('numeric', () => {
  it.each([
    ['1016', '1016'],
    ['1,016', '1016'],
    ['001016.00', '1016'],
    ['1016.', '1016'],
    ['+3', '3'],
    ['-0', '0'],
    ['-0.50', '-0.5'],
    ['.5', '0.5'],
    [' 12 ', '12'],
    ['1,234,567.8', '1234567.8'],
    ['9007199254740993', '9007199254740993'],
  ])('reads %s as %s', (text, form) => {
    expect(normalNumber(text)).toBe(form);
  });

  it.each([
    '',
    '.',
    '-',
    '+.',
    '1,01',
    '12,34',
    '1,0160',
    ',123',
    '1 016',
    '1e3',
    '0x10',
    '1.2.3',
    '½',
    '--1',
    'NaN',
    '٣',
  ])('takes %j for no number', (text) => {
    expect(normalNumber(text)).toBeNull();
  });

  it('finds the same number in every writing of it, and another in every other', () => {
    const whole = fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n });
    fc.assert(
      fc.property(whole, whole, fc.nat({ max: 3 }), fc.nat({ max: 3 }), (n, m, zerosBefore, zerosBehind) => {
        const sign = n < 0n ? '-' : '';
        const digits = (n < 0n ? -n : n).toString();
        const grouped = digits.replace(/\B(?=(\d{3})+$)/g, ',');
        const padded = '0'.repeat(zerosBefore) + digits + (zerosBehind > 0 ? `.${'0'.repeat(zerosBehind)}` : '');
        for (const writing of [grouped, padded])
          expect(submit(numeric, [n.toString()], sign + writing)).toEqual({ verdict: 'correct' });
        if (n !== m) expect(submit(numeric, [n.toString()], m.toString())).toMatchObject({ verdict: 'incorrect' });
      }),
    );
  });

  it('tells numbers apart that floating point cannot', () => {
    expect(submit(numeric, ['9007199254740993'], '9007199254740992')).toMatchObject({ verdict: 'incorrect' });
    expect(submit(numeric, ['0.1'], '0.1000000000000000000001')).toMatchObject({ verdict: 'incorrect' });
  });

  it('takes no answer and no number for incorrect, and gold that is no number for a fault of the problem', () => {
    expect(submit(numeric, ['3'], null)).toMatchObject({ verdict: 'incorrect' });
    expect(submit(numeric, ['3'], 'three')).toMatchObject({
      verdict: 'incorrect',
      why: expect.stringContaining('no number') as string,
    });
    expect(() => submit(numeric, ['three'], '3')).toThrow(/problem p: gold .* holds no number/);
  });
});
