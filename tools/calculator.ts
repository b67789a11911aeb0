/**
 * A calculator: + − * / and brackets over whole numbers and decimals of any length, exact.
 *
 *   calculate('347*582+913')       // '202867'
 *   calculate('1/3+1/6')           // '0.5'
 *   calculate('2*')                // 'error: a number is missing'
 *
 * A quotient that no decimal ends is given as a fraction. What is wrong is said in the result, because it is the model's doing. Pure.
 */
import { decimal, plus, rational, times, writeRational } from '../verifiers/rational.ts';
import type { Rational } from '../verifiers/rational.ts';

const LONGEST = 200;
const DEEPEST = 50;
/** Digits of a result, numerator and denominator together. */
const LONGEST_RESULT = 100;

class Unreadable extends Error {}

const TOKEN = /\s*(?:(\d+(?:\.\d+)?)|([-+*/()]))/y;

export function calculate(expression: string): string {
  try {
    if (expression.length > LONGEST) throw new Unreadable(`it is longer than ${LONGEST} characters`);
    const result = writeRational(new Reader(tokensOf(expression)).all());
    return result.length > LONGEST_RESULT ? 'error: the result is too long' : result;
  } catch (error) {
    if (error instanceof Unreadable) return `error: ${error.message}`;
    throw error;
  }
}

function tokensOf(expression: string): string[] {
  const text = expression.trim();
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const [, number, sign] = TOKEN.exec(text) ?? [];
    const token = number ?? sign;
    if (token === undefined) throw new Unreadable('it holds something else than numbers, + - * / and brackets');
    tokens.push(token);
  }
  return tokens;
}

/** A sum of products of signed numbers and bracketed sums. */
class Reader {
  #at = 0;
  #depth = 0;
  constructor(private readonly tokens: readonly string[]) {}

  all(): Rational {
    const value = this.#sum();
    if (this.#at < this.tokens.length) throw new Unreadable(`there is a ${this.tokens[this.#at]} too many`);
    return value;
  }

  #sum(): Rational {
    let value = this.#product();
    for (let sign = this.#take('+', '-'); sign !== undefined; sign = this.#take('+', '-')) {
      const next = this.#product();
      value = plus(value, sign === '+' ? next : negated(next));
    }
    return value;
  }

  #product(): Rational {
    let value = this.#factor();
    for (let sign = this.#take('*', '/'); sign !== undefined; sign = this.#take('*', '/')) {
      const next = this.#factor();
      if (sign === '/' && next.n === 0n) throw new Unreadable('it divides by 0');
      value = times(value, sign === '*' ? next : rational(next.d, next.n));
    }
    return value;
  }

  #factor(): Rational {
    if (++this.#depth > DEEPEST) throw new Unreadable('it is nested too deeply');
    try {
      const sign = this.#take('-', '+', '(');
      if (sign === '-') return negated(this.#factor());
      if (sign === '+') return this.#factor();
      if (sign === '(') {
        const value = this.#sum();
        if (this.#take(')') === undefined) throw new Unreadable('a bracket is left open');
        return value;
      }
      const number = this.tokens[this.#at];
      if (number === undefined || !/^\d/.test(number)) throw new Unreadable('a number is missing');
      this.#at++;
      return decimal(number);
    } finally {
      this.#depth--;
    }
  }

  #take(...signs: string[]): string | undefined {
    const token = this.tokens[this.#at];
    if (token === undefined || !signs.includes(token)) return undefined;
    this.#at++;
    return token;
  }
}

const negated = (value: Rational): Rational => times(value, rational(-1n));
