/**
 * Latex: the answer says the same as an accepted form, in the notation of MATH (Hendrycks et al., arXiv:2103.03874).
 *
 *   parseLatex('… so $x = \\boxed{\\frac12}$.')                                   // '\\frac12'
 *   latex({ problem: { gold: ['\\frac{1}{2}'], … }, text, answer: '0.5' })       // correct
 *
 * Numbers, fractions, roots, complex numbers and polynomials are compared exactly (verifiers/algebra.ts); what has no normal
 * form as floating point within 1e-9. Tuples and matrices keep their order, intervals their brackets; lists, sets and unions
 * have none. Units, degrees, dollar and percent signs fall away; words are compared without case. Equations are equal if one
 * is a multiple of the other; "x = 5" is 5. Pure.
 *
 * Limits: a factored polynomial is its expanded form; a unit is not held against another; inequalities are text.
 */
import { add, approximate, asNumber, equal, negate, proportional } from './algebra.ts';
import type { Quotient } from './algebra.ts';
import { braced, cutOff, readAnswer } from './answer.ts';
import { parseExpression } from './latex-expression.ts';
import { correct, incorrect } from './verifier.ts';
import type { Verifier } from './verifier.ts';

const SIGNS: [RegExp, string][] = [
  [/−|–/g, '-'],
  [/√\s*(\d+|\([^()]*\))/g, '\\sqrt{$1}'],
  [/∞/g, '\\infty'],
  [/∪/g, '\\cup'],
  [/±/g, '\\pm'],
  [/∈/g, '\\in'],
  [/\\[dtc]frac(?![a-z])/g, '\\frac'],
  [/\\(?:left|right|[bB]igg?[lr]?|displaystyle|limits)(?![a-z])\.?/g, ''],
  [/\\[,;:! ]|~|\\q?quad\b/g, ' '],
  [/\\?\$|\\\(|\\\)|\\\[|\\\]|\\?%/g, ''],
  [/\^\s*\{?\s*(?:\\circ|°)\s*\}?|°|\\degrees?\b/g, ''],
  [/\{,\}/g, ','],
  [/(\d)\s*,\s(?=\d{3}(?!\d))(?=[\d, ]*$)(?<=^-?[\d, ]*)/g, '$1,'],
];

/** One writing for spaces, signs and decoration. */
function clean(text: string): string {
  let plain = text.replace(/(\d),\\!\s*(?=\d{3})/g, '$1').replace(/\\\\/g, '\\cr ');
  for (const [sign, form] of SIGNS) plain = plain.replace(sign, form);
  plain = plain
    .trim()
    .replace(/[.;]+$/, '')
    .trim();
  return /^-?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d,])/.test(plain) ? plain.replace(/,(?=\d{3})/g, '') : plain;
}

const TEXT = /\\(?:text|textbf|textit|mathrm|mathbf|mbox|operatorname)\s*\{([^{}]*)\}/g;
/** Words and units behind what they belong to. */
const UNIT =
  /(?<=[\d)}π]|\\pi)\s*(?:\\(?:text|mathrm|mbox)\s*\{[^{}]*\}|\s[a-zA-Z]{2,}[a-zA-Z. /]*)\s*(?:\^\s*\{?\d\}?)?$/;
const words = (text: string): string =>
  text
    .replace(TEXT, '$1')
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()
    .toLowerCase();

type Value =
  | { kind: 'text'; text: string }
  | { kind: 'number'; value: Quotient; name?: string }
  | { kind: 'equation'; value: Quotient }
  | { kind: 'group'; brackets: string; ordered: boolean; items: Value[] };

/** Splits at a mark outside of all brackets. */
function split(text: string, mark: RegExp): string[] {
  const parts: string[] = [''];
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const found = depth === 0 ? mark.exec(text.slice(at)) : null;
    if (found?.index === 0) {
      parts.push('');
      at += found[0].length - 1;
      continue;
    }
    if ('([{'.includes(text[at]!)) depth++;
    if (')]}'.includes(text[at]!)) depth--;
    parts.push((parts.pop() ?? '') + text.charAt(at));
  }
  return parts.map((part) => part.trim());
}

const group = (brackets: string, ordered: boolean, items: string[]): Value => ({
  kind: 'group',
  brackets,
  ordered,
  items: items.map(valueOf),
});

function valueOf(raw: string): Value {
  const text = clean(raw).replace(UNIT, '').trim();
  const matrix = /^\\begin\{([pbv]?matrix|array)\}(?:\{[lcr|]*\})?(.*)\\end\{\1\}$/s.exec(text);
  if (matrix)
    return {
      kind: 'group',
      brackets: 'matrix',
      ordered: true,
      items: matrix[2]!
        .split('\\cr ')
        .filter((row) => row.trim() !== '')
        .map((row) => group('row', true, row.split('&'))),
    };
  const list = split(
    text.replace(/\\text\s*\{\s*(?:,?\s*(?:and|or),?)\s*\}/g, ',').replace(/,?\s+(?:and|or)\s+/g, ','),
    /^,/,
  ).filter((item) => item !== '');
  if (list.length > 1) return group('list', false, list.flatMap(bothSigns));
  const union = split(text, /^\\cup(?![a-z])/);
  if (union.length > 1) return group('union', false, union);
  const inside = /^(\\\{|[([])(.*?)(\\\}|[)\]])$/s.exec(text);
  if (inside) {
    const [, open = '', content = '', close = ''] = inside;
    const items = split(content, /^,/);
    if (open === '\\{') return group('list', false, items.flatMap(bothSigns));
    if (items.length > 1 && items.every((item) => item !== '')) return group(open + close, true, items);
  }
  const member = /^[a-zA-Z]\s*\\in(?![a-z])\s*(.*)$/s.exec(text);
  if (member) return valueOf(member[1]!);
  const signs = bothSigns(text);
  if (signs.length > 1) return group('list', false, signs);
  return plainValue(text);
}

function plainValue(text: string): Value {
  const asText: Value = { kind: 'text', text: words(text) };
  if (/^\W*\\(?:text|mathrm|mbox|textbf)\s*\{[^{}]*\}\W*$/.test(text) || /^[A-Za-z]{2,}(?:[ '-][A-Za-z]+)*$/.test(text))
    return asText;
  if (/\\infty/.test(text)) return { kind: 'text', text: text.replace(/[\s{}+]/g, '') };
  try {
    const sides = text.split('=');
    if (sides.length === 1) return { kind: 'number', value: parseExpression(text.replace(TEXT, ' ')) };
    const [left, right] = [sides[0]!.trim(), sides.at(-1)!];
    if (/^(?:\\?[a-zA-Z]+|[a-zA-Z]\s*\([a-zA-Z]\))$/.test(left))
      return { kind: 'number', value: parseExpression(right), name: left };
    return { kind: 'equation', value: add(parseExpression(left), negate(parseExpression(right))) };
  } catch {
    return asText;
  }
}

const bothSigns = (text: string): string[] =>
  /\\pm(?![a-z])/.test(text) ? ['+', '-'].map((sign) => text.replace(/\\pm(?![a-z])/, sign)) : [text];

function close(a: Quotient, b: Quotient): boolean {
  const [x, y] = [approximate(a), approximate(b)];
  return x !== undefined && y !== undefined && Math.abs(x - y) <= 1e-9 * Math.max(1, Math.abs(x), Math.abs(y));
}

function equation(value: Value): Quotient | undefined {
  if (value.kind === 'equation') return value.value;
  return value.kind === 'number' && value.name !== undefined
    ? add(parseExpression(value.name), negate(value.value))
    : undefined;
}

function sameValue(a: Value, b: Value): boolean {
  if (a.kind === 'number' && b.kind === 'number') {
    if (a.name !== undefined && b.name !== undefined && a.name !== b.name) return false;
    return equal(a.value, b.value) || (!(asNumber(a.value) && asNumber(b.value)) && close(a.value, b.value));
  }
  if (a.kind === 'group' && b.kind === 'group') {
    if (a.brackets !== b.brackets || a.items.length !== b.items.length) return false;
    if (a.ordered) return a.items.every((item, index) => sameValue(item, b.items[index]!));
    const left = [...b.items];
    return a.items.every((item) => {
      const at = left.findIndex((other) => sameValue(item, other));
      if (at >= 0) left.splice(at, 1);
      return at >= 0;
    });
  }
  const [x, y] = [equation(a), equation(b)];
  if (x && y) return proportional(x, y);
  return a.kind === 'text' && b.kind === 'text' && a.text !== '' && a.text === b.text;
}

/** Whether two answers say the same. */
export function sameAnswer(one: string, other: string): boolean {
  if (clean(one) === clean(other)) return clean(one) !== '';
  if (/^[A-Z]$/.test(words(one).toUpperCase()) && words(one) === words(other) && /\\text|[()]/.test(one + other))
    return true;
  return sameValue(valueOf(one), valueOf(other));
}

/** Of a sentence the first formula, else all up to its end; what stands in a box is taken whole. */
function readLatex(stated: string): string | null | undefined {
  const formula = /^[^$\\]*?\$((?:[^$\\]|\\.)+)\$/s.exec(stated) ?? /^[^$]*?\\[([](.+?)\\[)\]]/.exec(stated);
  const rest = /^\s*(?:and|or|,)\s*\$/.test(stated.slice(formula?.[0].length ?? 0));
  const own = formula && !rest ? formula[1]! : stated.split(/[.;](?=\s+[A-Z]|\s*$)/)[0]!;
  return own.trim() === '' ? undefined : own.trim();
}

/** What is boxed last, whatever is said behind it ("the answer is correct"); without a box what is stated. */
export function parseLatex(text: string, stops: readonly string[] = []): string | null {
  const own = cutOff(text, stops);
  const box = Math.max(own.lastIndexOf('\\boxed{'), own.lastIndexOf('\\fbox{'));
  return box < 0 ? readAnswer(own, readLatex, stops) : braced(own, own.indexOf('{', box)).trim() || null;
}

export const latex: Verifier = ({ problem, answer }) => {
  if (answer === null) return incorrect('no answer found');
  return problem.gold.some((gold) => sameAnswer(gold, answer))
    ? correct()
    : incorrect(`answered ${JSON.stringify(answer)}`);
};
