/**
 * Exact fractions of whole numbers of any length: what written numbers are compared as.
 *
 *   decimal('-12.50')          // { n: -25n, d: 2n }
 *   writeRational(half)        // '0.5'; a third is '1/3'
 *
 * Always in lowest terms with a positive denominator, so that equal numbers have equal parts. Never floating point: 0.1 is
 * 0.1, and 9007199254740993 is not 9007199254740992. Pure.
 */
export interface Rational {
  readonly n: bigint;
  readonly d: bigint;
}

const abs = (value: bigint): bigint => (value < 0n ? -value : value);
function gcd(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return abs(a);
}

/** @throws RangeError if the denominator is zero. */
export function rational(n: bigint, d = 1n): Rational {
  if (d === 0n) throw new RangeError('a fraction with the denominator 0');
  const common = gcd(n, d) * (d < 0n ? -1n : 1n);
  return { n: n / common, d: d / common };
}

export const plus = (a: Rational, b: Rational): Rational => rational(a.n * b.d + b.n * a.d, a.d * b.d);
export const times = (a: Rational, b: Rational): Rational => rational(a.n * b.n, a.d * b.d);
export const same = (a: Rational, b: Rational): boolean => a.n === b.n && a.d === b.d;

/** Digits with at most one point and a sign in front; the caller has seen that they are no more than that. */
export function decimal(digits: string): Rational {
  const [whole = '', behind = ''] = digits.split('.');
  return rational(
    BigInt(`${whole}${behind}`.replace(/^([+-]?)$/, '$10').replace('+', '')),
    10n ** BigInt(behind.length),
  );
}

/** A decimal where it ends, else a fraction; `decimal` and `a/b` read it back. */
export function writeRational({ n, d }: Rational): string {
  let rest = d;
  let places = 0;
  for (; rest % 10n === 0n; rest /= 10n) places++;
  for (const prime of [2n, 5n]) for (; rest % prime === 0n; rest /= prime) places++;
  if (rest !== 1n) return `${n}/${d}`;
  if (places === 0) return String(n);
  const digits = String((abs(n) * 10n ** BigInt(places)) / d).padStart(places + 1, '0');
  const behind = digits.slice(-places).replace(/0+$/, '');
  return `${n < 0n ? '-' : ''}${digits.slice(0, -places)}${behind && `.${behind}`}`;
}
