/**
 * Numeric: the answer is the same number as one of the accepted forms, however it is written.
 *
 *   parseNumber('… so he pays $1,016.00 in all. The answer is $1,016.00.')    // '1016'
 *   numeric({ problem: { gold: ['1016'], … }, text, answer: '1,016.0' })      // correct
 *
 * Whole numbers, decimals, fractions and mixed numbers of any length, with sign, commas between groups of three, currency,
 * unit, percent sign (50% is 50), "million", powers of ten, digits of any script. Compared exactly, never as floating point:
 * 0.5 is 1/2, 0.1 is 0.1, and 9007199254740993 is not 9007199254740992. Pure.
 *
 * Limits: no number words ("twelve"), times of day or ratios; sums that are not worked out ("3 + 4") are no answer.
 */
import { readAnswer } from './answer.ts';
import { decimal, plus, rational, times, writeRational } from './rational.ts';
import type { Rational } from './rational.ts';
import { correct, incorrect } from './verifier.ts';
import type { Verifier } from './verifier.ts';

const FORM = /^([+-]?)(\d+|\d{1,3}(?:,\d{3})+|(?=\.\d))(?:\.(\d*))?$/;

/** The one way to write a decimal (`-12.5`), or null if the text is none. */
export function normalNumber(text: string): string | null {
  const found = FORM.exec(text.trim());
  if (!found) return null;
  const whole = (found[2] ?? '').replaceAll(',', '').replace(/^0+(?=\d)/, '') || '0';
  const decimals = (found[3] ?? '').replace(/0+$/, '');
  const size = decimals === '' ? whole : `${whole}.${decimals}`;
  return found[1] === '-' && size !== '0' ? `-${size}` : size;
}

const VULGAR = new Map(
  '½1/2 ¼1/4 ¾3/4 ⅓1/3 ⅔2/3 ⅕1/5 ⅖2/5 ⅗3/5 ⅘4/5 ⅙1/6 ⅚5/6 ⅛1/8 ⅜3/8 ⅝5/8 ⅞7/8'
    .split(' ')
    .map((one) => [one[0]!, one.slice(1)] as const),
);
const POWERS: Record<string, bigint> = {
  thousand: 10n ** 3n,
  million: 10n ** 6n,
  billion: 10n ** 9n,
  trillion: 10n ** 12n,
};

/** Digits of any script as 0–9: every script has its ten in one row. */
const westernDigit = (digit: string): string => {
  let value = 0;
  for (let point = digit.codePointAt(0)! - 1; /\p{Nd}/u.test(String.fromCodePoint(point)); point--) value++;
  return String(value % 10);
};

/** One writing for what has many: signs, spaces, fractions, LaTeX around a number, currency. */
export function plainNumbers(text: string): string {
  return text
    .replace(/[½¼¾⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞]/g, (one) => ` ${VULGAR.get(one)}`)
    .normalize('NFKC')
    .replace(/(?![0-9])\p{Nd}/gu, westernDigit)
    .replace(/[−‐‑–﹣](?=\s*[$€£¥₹]?\s*[\d.])/g, '-')
    .replace(/\\[dtc]?frac\s*\{\s*([^{}]+?)\s*\}\s*\{\s*([^{}]+?)\s*\}/g, ' $1/$2')
    .replace(/\\[dtc]?frac\s*(\d)\s*(\d)/g, ' $1/$2')
    .replace(/\\(?:text|textbf|mathrm|mathbf|mbox)\s*\{([^{}]*)\}/g, ' $1')
    .replace(/\\times|\\cdot/g, '×')
    .replace(/\{,\}/g, ',')
    .replace(/\\[,;:! ]|\\(?:left|right|quad)\b|\\[()[\]]|[`{}"“”]/g, '')
    .replace(/-\s*(?:\\?[$€£¥₹]|(?:USD|EUR|GBP|Rs\.?)\s)\s*(?=[\d.])/g, '-')
    .replace(/\\?[$€£¥₹]|\b(?:USD|US\$|EUR|GBP|Rs\.?)(?=\s?\d)/g, ' ')
    .replace(/\\?%/g, '%');
}

const PLAIN = String.raw`(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+`;
const NUMBER = new RegExp(
  String.raw`(?<![\w.,/^:])([+-]\s?)?(?:(\d+)(?:\s+|-)(\d+)\s*\/\s*(\d+)|(${PLAIN})\s*\/\s*(${PLAIN})|(${PLAIN})(?:\s*[×x*]\s*10\s*\^\s*\(?(-?\d+)\)?|e([+-]?\d{1,3}))?)(?!,?\d|\.\d|[/:^]\s?\w)(?:\s+(thousand|million|billion|trillion)\b)?`,
  'gi',
);
const bare = (digits: string): Rational => decimal(digits.replaceAll(',', ''));

function valueOf(found: RegExpMatchArray): Rational | undefined {
  const [, sign = '', whole, n, d, over, under, plain = '', power, exponent, word = ''] = found;
  let value: Rational;
  if (whole !== undefined) {
    if (BigInt(d!) === 0n) return undefined;
    value = plus(bare(whole), rational(BigInt(n!), BigInt(d!)));
  } else if (over !== undefined) {
    const below = bare(under!);
    if (below.n === 0n) return undefined;
    value = times(bare(over), rational(below.d, below.n));
  } else value = bare(plain);
  const shift = Number(power ?? exponent ?? 0);
  if (Math.abs(shift) > 300) return undefined;
  const scale = 10n ** BigInt(Math.abs(shift));
  value = times(value, shift < 0 ? rational(1n, scale) : rational(scale));
  return times(value, rational((POWERS[word.toLowerCase()] ?? 1n) * (sign.startsWith('-') ? -1n : 1n)));
}

/** Between two numbers that are both meant: "5 or 6", "2 hours and 30", "1, 2", "5-6", "3 + 4". */
const BOTH =
  /^\s*%?\s*(?:[\p{L}.]+\s*)?(?:,|\b(?:or|and|to|through|by|versus|vs)\b|[-–~+*×x÷/:=<>≈&])\s*(?:or|and)?\s*$/iu;

/** The number that a stated answer gives: null where it gives several, undefined where none. */
export function readNumber(stated: string): string | null | undefined {
  const plain = plainNumbers(stated);
  // "x = 5", "3 + 4 = 7": what it comes to, and of that the first sentence.
  const [head = ''] = plain.split(/[.!?;](?=\s|$)/);
  const equals = /^[^=]*[^=<>!]=(?!=)/.exec(head);
  const clause =
    equals && /\d/.test(head.slice(head.lastIndexOf('=') + 1)) ? head.slice(head.lastIndexOf('=') + 1) : head;
  if (/\b(?:not|neither|unknown|undetermined)\b|\bn't\b|\bbetween\b/i.test(clause))
    return /\d/.test(clause) ? null : undefined;
  const all = [...clause.matchAll(NUMBER)];
  const [first, second] = all;
  // Digits that form no number ("1,01", "5:30") are an answer that can't be read, not silence.
  if (!first) return /\d/.test(clause) ? null : undefined;
  const value = valueOf(first);
  if (!value) return null;
  if (second) {
    const between = clause.slice(first.index + first[0].length, second.index + (second[1] ? 1 : 0));
    if (BOTH.test(between)) return null;
    // Of several numbers inside a sentence nobody knows which is meant.
    if (
      /\p{L}{2}/u.test(
        clause
          .slice(0, first.index)
          .replace(/\b(?:about|approximately|around|exactly|only|just|a total of|total)\b/gi, ''),
      )
    )
      return null;
  }
  return writeRational(value);
}

/** The number a completion states as its answer; null = none, or more than one. */
export const parseNumber = (text: string, stops?: readonly string[]): string | null =>
  readAnswer(text, readNumber, stops);

/** @throws Error if no accepted form is a number: the problem is at fault then, not the answer, so it stays unjudged. */
export const numeric: Verifier = ({ problem, answer }) => {
  const accepted = problem.gold.map(readNumber).filter((form) => typeof form === 'string');
  if (accepted.length === 0)
    throw new Error(`problem ${problem.id}: gold ${JSON.stringify(problem.gold)} holds no number`);
  if (answer === null) return incorrect('no answer found');
  const found = readNumber(answer);
  if (typeof found !== 'string') return incorrect(`answered ${JSON.stringify(answer)}, which is no number`);
  return accepted.includes(found) ? correct() : incorrect(`answered ${JSON.stringify(answer)}`);
};
