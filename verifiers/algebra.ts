/**
 * Exact algebra for comparing written answers: quotients of sums of products, with roots, π, i and letters.
 *
 *   equal(parse('\\frac{\\sqrt{3}}{3}'), parse('1/\\sqrt{3}'))    // true, without a rounded number
 *
 * A monomial holds atoms with rational exponents; whole numbers under a root are taken apart into primes, so that √8 and
 * 2√2 have one form, and i·i is −1. Quotients are equal if they are crosswise. What has no normal form here (a root of a sum,
 * a function) is an atom of its own, named by what stands in it. Pure.
 *
 * Limits: exponents up to 24, roots of numbers up to 10^12; no identities of functions (sin²+cos²).
 */
import { plus, rational, times } from './rational.ts';
import type { Rational } from './rational.ts';

interface Term {
  factor: Rational;
  atoms: ReadonlyMap<string, Rational>;
}
type Sum = ReadonlyMap<string, Term>;
export interface Quotient {
  over: Sum;
  under: Sum;
}

const ONE = rational(1n);
const MOST = { exponent: 24n, terms: 400, root: 10n ** 12n };

const write = (atoms: ReadonlyMap<string, Rational>): string =>
  [...atoms]
    .sort(([x], [y]) => (x < y ? -1 : 1))
    .map(([atom, { n, d }]) => `${atom}^${n}/${d}`)
    .join('*');
const writeSum = (sum: Sum): string =>
  [...sum]
    .sort(([x], [y]) => (x < y ? -1 : 1))
    .map(
      ([
        key,
        {
          factor: { n, d },
        },
      ]) => `${n}/${d}*${key}`,
    )
    .join('+');
export const writeQuotient = ({ over, under }: Quotient): string => `(${writeSum(over)})/(${writeSum(under)})`;

/** The name of an atom that has no normal form carries what it comes to, if that is known. */
export const valued = (name: string, value: number | undefined): string =>
  Number.isFinite(value) ? `${name}≈${value}` : name;
const CONSTANTS: Record<string, number> = { π: Math.PI, e: Math.E };
const valueOf = (sum: Sum): number =>
  [...sum.values()].reduce((total, { factor, atoms }) => {
    let value = Number(factor.n) / Number(factor.d);
    for (const [name, { n, d }] of atoms) {
      const base = name.startsWith('#') ? name.slice(1) : (CONSTANTS[name] ?? /≈(.*)$/.exec(name)?.[1] ?? NaN);
      value *= Number(base) ** (Number(n) / Number(d));
    }
    return total + value;
  }, 0);

const floor = ({ n, d }: Rational): bigint => (n >= 0n ? n / d : -((-n + d - 1n) / d));
const power = (base: Rational, exponent: bigint): Rational =>
  exponent >= 0n
    ? rational(base.n ** exponent, base.d ** exponent)
    : rational(base.d ** -exponent, base.n ** -exponent);

/** Whole powers of primes become numbers, powers of i one of 1, i, −1, −i. */
function reduce({ factor, atoms }: Term): Term {
  const left = new Map<string, Rational>();
  for (const [atom, exponent] of atoms) {
    if (exponent.n === 0n) continue;
    if (atom.startsWith('#')) {
      const whole = floor(exponent);
      factor = times(factor, power(rational(BigInt(atom.slice(1))), whole));
      const rest = plus(exponent, rational(-whole));
      if (rest.n !== 0n) left.set(atom, rest);
    } else if (atom === 'i' && exponent.d === 1n) {
      const quarter = ((exponent.n % 4n) + 4n) % 4n;
      if (quarter >= 2n) factor = times(factor, rational(-1n));
      if (quarter % 2n === 1n) left.set('i', ONE);
    } else left.set(atom, exponent);
  }
  return { factor, atoms: left };
}

function sumOf(terms: Iterable<Term>): Sum {
  const sum = new Map<string, Term>();
  for (const term of terms) {
    const key = write(term.atoms);
    const factor = plus(sum.get(key)?.factor ?? rational(0n), term.factor);
    if (factor.n === 0n) sum.delete(key);
    else sum.set(key, { factor, atoms: term.atoms });
  }
  if (sum.size > MOST.terms) throw new RangeError('too many terms');
  return sum;
}
const product = (a: Sum, b: Sum): Sum =>
  sumOf(
    [...a.values()].flatMap((x) =>
      [...b.values()].map((y) => {
        const atoms = new Map(x.atoms);
        for (const [atom, exponent] of y.atoms) atoms.set(atom, plus(atoms.get(atom) ?? rational(0n), exponent));
        return reduce({ factor: times(x.factor, y.factor), atoms });
      }),
    ),
  );

const single = (factor: Rational, atoms: [string, Rational][] = []): Sum =>
  sumOf([reduce({ factor, atoms: new Map(atoms) })]);
const UNIT = single(ONE);

export const number = (value: Rational): Quotient => ({ over: single(value), under: UNIT });
export const atom = (name: string): Quotient => ({ over: single(ONE, [[name, ONE]]), under: UNIT });
export const multiply = (a: Quotient, b: Quotient): Quotient => ({
  over: product(a.over, b.over),
  under: product(a.under, b.under),
});
export const negate = (a: Quotient): Quotient => multiply(number(rational(-1n)), a);
export const add = (a: Quotient, b: Quotient): Quotient => ({
  over: sumOf([...product(a.over, b.under).values(), ...product(b.over, a.under).values()]),
  under: product(a.under, b.under),
});
/** @throws RangeError for a division by zero. */
export function divide(a: Quotient, b: Quotient): Quotient {
  if (b.over.size === 0) throw new RangeError('division by 0');
  return multiply(a, { over: b.under, under: b.over });
}

/** The number, where it is one without roots and letters. */
export function asNumber({ over, under }: Quotient): Rational | undefined {
  if (over.size === 0) return rational(0n);
  const [x, y] = [over.get(''), under.get('')];
  if (over.size !== 1 || under.size !== 1 || !x || !y) return undefined;
  return times(x.factor, rational(y.factor.d, y.factor.n));
}

function primes(value: bigint, exponent: Rational): [string, Rational][] {
  if (value > MOST.root) return [[`root(${value})`, exponent]];
  const found = new Map<string, Rational>();
  for (let prime = 2n; value > 1n; prime = prime * prime > value ? value : prime + 1n)
    for (; value % prime === 0n; value /= prime)
      found.set(`#${prime}`, plus(found.get(`#${prime}`) ?? rational(0n), exponent));
  return [...found];
}

/** A root or power of one term; of a sum it is an atom. */
function powerOf(sum: Sum, exponent: Rational): Sum {
  const [term] = sum.values();
  if (!term) return sum;
  if (sum.size > 1) return single(ONE, [[valued(`[${writeSum(sum)}]`, valueOf(sum)), exponent]]);
  const { n, d } = term.factor;
  const parts: Sum[] = [
    single(ONE, primes(n < 0n ? -n : n, exponent)),
    single(ONE, primes(d, times(exponent, rational(-1n)))),
    single(
      ONE,
      [...term.atoms].map(([name, old]) => [name, times(old, exponent)]),
    ),
  ];
  if (n < 0n) parts.push(single(ONE, [['i', times(rational(2n), exponent)]]));
  return parts.reduce(product);
}

export function raise(base: Quotient, exponent: Quotient): Quotient {
  const value = asNumber(exponent);
  if (!value) return atom(`${writeQuotient(base)}**${writeQuotient(exponent)}`);
  if (value.d !== 1n) return { over: powerOf(base.over, value), under: powerOf(base.under, value) };
  const size = value.n < 0n ? -value.n : value.n;
  if (size > MOST.exponent)
    return base.over.size === 1 && base.under.size === 1 && !asNumber(base)
      ? { over: powerOf(base.over, value), under: powerOf(base.under, value) }
      : atom(`${writeQuotient(base)}**${value.n}`);
  let result = number(ONE);
  for (let n = 0n; n < size; n++) result = multiply(result, base);
  return value.n < 0n ? divide(number(ONE), result) : result;
}

export const equal = (a: Quotient, b: Quotient): boolean =>
  writeSum(product(a.over, b.under)) === writeSum(product(b.over, a.under));

/** One is the other times a number that is not 0: what two equations with 0 on one side have in common. */
export function proportional(a: Quotient, b: Quotient): boolean {
  const [x, y] = [product(a.over, b.under), product(b.over, a.under)];
  const [key] = x.keys();
  const [p, q] = [x.get(key ?? ''), y.get(key ?? '')];
  if (!p || !q) return x.size === 0 && y.size === 0;
  const ratio = times(p.factor, rational(q.factor.d, q.factor.n));
  return writeSum(x) === writeSum(product(y, single(ratio)));
}

/** As floating point, where no letter stands in it: for roots of sums, which have no normal form. */
export function approximate({ over, under }: Quotient): number | undefined {
  const value = valueOf(over) / valueOf(under);
  return Number.isFinite(value) ? value : undefined;
}
