/**
 * Reads one expression of LaTeX, or plain text that looks like it, into exact algebra.
 *
 *   parseExpression('\\frac{3\\sqrt{3}}{4}')     // a Quotient; 3\frac12 is the mixed number 3.5
 *
 * @throws SyntaxError for what it can't read; the caller compares as text then. Pure.
 */
import { add, approximate, atom, divide, multiply, negate, number, raise, valued, writeQuotient } from './algebra.ts';
import type { Quotient } from './algebra.ts';
import { decimal, rational } from './rational.ts';

const TOKEN = /\s+|(\d+(?:\.\d+)?|\.\d+)|\\([A-Za-z]+)|([A-Za-zπ])|([-+*/^_(){}[\]|!×·÷])/gy;
const FUNCTIONS: Record<string, ((x: number) => number) | undefined> = {
  ...{ sin: Math.sin, cos: Math.cos, tan: Math.tan, cot: (x) => 1 / Math.tan(x), sec: (x) => 1 / Math.cos(x) },
  ...{
    csc: (x) => 1 / Math.sin(x),
    ln: Math.log,
    arcsin: Math.asin,
    arccos: Math.acos,
    arctan: Math.atan,
    exp: Math.exp,
  },
  log: Math.log10,
};
const CLOSING: Record<string, string> = { '(': ')', '{': '}', '[': ']' };

function tokens(text: string): string[] {
  const found: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (!match) throw new SyntaxError(`"${text.slice(at, at + 10)}" at ${at}`);
    const [, digits, command, letter, sign] = match;
    if (command !== undefined) found.push(`\\${command}`);
    else if (digits ?? letter ?? sign) found.push((digits ?? letter ?? sign)!);
  }
  return found;
}

class Parser {
  #at = 0;
  constructor(private readonly all: string[]) {}

  whole(): Quotient {
    const value = this.sum();
    if (this.#at < this.all.length) throw new SyntaxError(`"${this.all[this.#at]}" is one too many`);
    return value;
  }
  private next = (): string | undefined => this.all[this.#at];
  private take(): string {
    const token = this.all[this.#at++];
    if (token === undefined) throw new SyntaxError('it ends too early');
    return token;
  }
  private took(...some: string[]): string | undefined {
    const token = this.next();
    return token !== undefined && some.includes(token) ? this.take() : undefined;
  }

  private sum(): Quotient {
    let value = this.took('-') ? negate(this.products()) : (this.took('+'), this.products());
    for (let sign = this.took('+', '-'); sign; sign = this.took('+', '-')) {
      const more = this.products();
      value = add(value, sign === '-' ? negate(more) : more);
    }
    return value;
  }
  private products(): Quotient {
    let value = this.factor();
    for (;;) {
      const sign = this.took('*', '×', '·', '\\cdot', '\\times', '/', '÷', '\\div');
      const token = this.next();
      if (sign) {
        const more = this.took('-') ? negate(this.factor()) : this.factor();
        value = ['/', '÷', '\\div'].includes(sign) ? divide(value, more) : multiply(value, more);
      } else if (token !== undefined && /^(?:[A-Za-zπ({[]|\d|\.\d|\\[A-Za-z]+)/.test(token)) {
        // Two numbers side by side are no product.
        if (/^[\d.]/.test(token) && /^[\d.]/.test(this.all[this.#at - 1] ?? '')) throw new SyntaxError('two numbers');
        value = multiply(value, this.factor());
      } else return value;
    }
  }
  private factor(): Quotient {
    const base = this.base();
    return this.took('^') ? raise(base, this.group()) : base;
  }
  /** What a command takes: braces, or one token; of several digits the first (`\frac43`, `2^10` is not written so). */
  private group(): Quotient {
    const token = this.next();
    if (token !== undefined && /^\d{2,}$/.test(token)) {
      this.all.splice(this.#at, 1, token[0]!, token.slice(1));
      return number(decimal(this.take()));
    }
    return this.took('-') ? negate(this.base()) : this.base();
  }
  private base(): Quotient {
    const token = this.take();
    if (/^[\d.]/.test(token)) return this.numeral(token);
    const closing = CLOSING[token];
    if (closing !== undefined) {
      const inside = this.sum();
      if (!this.took(closing)) throw new SyntaxError(`no ${closing}`);
      return inside;
    }
    if (token === '\\frac') return divide(this.group(), this.group());
    if (token === '\\sqrt') {
      let index = number(rational(2n));
      if (this.took('[')) {
        index = this.sum();
        if (!this.took(']')) throw new SyntaxError('no ]');
      }
      return raise(this.group(), divide(number(rational(1n)), index));
    }
    if (token === '\\pi' || token === 'π') return atom('π');
    const name = token.replace('\\', '');
    const worth = FUNCTIONS[name];
    if (worth) {
      const exponent = this.took('^') ? this.group() : undefined;
      const base = this.took('_') ? writeQuotient(this.group()) : '';
      const argument = this.factor();
      const known = base === '' ? approximate(argument) : undefined;
      const value = atom(
        valued(`${name}${base}(${writeQuotient(argument)})`, known === undefined ? known : worth(known)),
      );
      return exponent ? raise(value, exponent) : value;
    }
    if (/^\\?[A-Za-z]+$/.test(token)) return atom(this.took('_') ? `${name}_${writeQuotient(this.group())}` : name);
    throw new SyntaxError(`"${token}"`);
  }
  private numeral(token: string): Quotient {
    // 2516_8: a number by its digits in that base.
    if (this.took('_')) return atom(`${token} in base ${writeQuotient(this.group())}`);
    const value = number(decimal(token));
    const [frac, open] = [this.next(), this.all[this.#at + 1]];
    if (frac !== '\\frac' || open === undefined || !/^\d+$/.test(token)) return value;
    const parts = this.all.slice(this.#at + 1, this.#at + 7).join('');
    if (!/^(?:\{\d+\}|\d)\s*(?:\{\d+\}|\d)/.test(parts)) return value;
    this.take();
    return add(value, divide(this.group(), this.group()));
  }
}

export const parseExpression = (text: string): Quotient =>
  new Parser(tokens(text.replace(/(?<![\d.])(\d+)\s+(\d+)\s*\/\s*(\d+)/g, '($1+$2/$3)'))).whole();
