/**
 * Choice: the answer is the letter or the text of the right option, and names no other.
 *
 *   parseChoice('… Therefore, the answer is bank (b).', choices)      // 'b'
 *   choice({ problem, text, answer: 'river bank' })                    // correct, if b is the river bank
 *
 * Options stand in `problem.data.choices` as `{ label, text }`; `problem.gold` holds the right label, lower case, and its text.
 * A letter counts in brackets, alone, or before a stop or colon; "a place" is no letter. A letter with the text of another
 * option is a contradiction and no answer, and so are two options ("A or B"). Pure.
 *
 * Limits: up to 26 options, in the letters A–Z; of an option's text all words must be there, in their order.
 */
import type { Problem } from '../schemas/problem.ts';
import { readAnswer } from './answer.ts';
import { correct, incorrect } from './verifier.ts';
import type { Verifier } from './verifier.ts';

export interface Choice {
  /** A lower-case letter. */
  label: string;
  text: string;
}

/** Case, articles, punctuation and LaTeX's wrapping apart. */
const words = (text: string): string =>
  text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/\\(?:text|textbf|mathrm|mathbf)\b/g, ' ')
    .replace(/[^\p{L}\p{N}.+%/<>=°µμ-]+/gu, ' ')
    .replace(/\.(?!\d)|(?<!\p{L}|\p{N})-(?!\d)/gu, ' ')
    .replace(/\b(?:the|an?)\b/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();

const BRACKETED = /(?<![A-Za-z])[([{]\s*([A-Za-z])\s*[)\]}]/g;
/** At the start: `B`, `B.`, `B)`, `B: text`, `b, because`, `option B`; never the article of "a place". */
const LEADING =
  /^\W*(?:(?:option|choice|letter|answer)\s+)?(?:([A-Za-z])(?=\s*(?:$|[).:,;\]–—]))|([B-Z])(?=\s)|(A)(?=\s+(?:because|since|as|for|and|or)\b))/i;
const EITHER =
  /(?:^|[\s(\[])\(?[A-Z]\)?\s*(?:,|\/|&|\bor\b|\band\b)\s*(?:\bor\b|\band\b)?\s*(?:option\s+)?\(?([A-Z])\)?(?=$|[\s.,;:)\]])/;
const DENIED = /^\W*(?:not|neither|none|unclear|unknown|either|cannot|can't)\b|\bneither\b/i;

const choicesOf = (problem: Problem): Choice[] => problem.data.choices as Choice[];

const flat = (text: string): string =>
  text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\s“”"`*$]+/g, ' ')
    .trim();

/** An option's whole text, however odd ("not awake", "D-dimer"), and its letter or nothing behind it; the longest first. */
function wholeText(stated: string, choices: Choice[]): string | null | undefined {
  const line = flat(stated);
  for (const { label, text } of [...choices].sort((x, y) => y.text.length - x.text.length)) {
    if (text === '' || !line.startsWith(flat(text))) continue;
    const rest = line.slice(flat(text).length);
    const letter = /^\W*[([{]\s*([a-z])\s*[)\]}]/.exec(rest)?.[1];
    // Of options with the same text any letter will do here: the letter decides.
    if (letter !== undefined)
      return choices.some((one) => one.label === letter && flat(one.text) === flat(text)) ? letter : null;
    if (/^\W*$/.test(rest)) return label;
  }
  return undefined;
}

/** The option that a stated answer names, as its label. */
function readChoice(stated: string, choices: Choice[]): string | null | undefined {
  const line = stated
    .normalize('NFKC')
    .replace(/\\(?:text|textbf|mathrm|mathbf|boxed)\s*(?=\{)|[*`$"“”]/g, '')
    .trim();
  if (line === '') return undefined;
  const whole = wholeText(line, choices);
  if (whole !== undefined) return whole;
  if (DENIED.test(line)) return null;
  const known = (letter: string | undefined) => choices.find(({ label }) => label === letter?.toLowerCase())?.label;
  const [first = ''] = line.split(/(?<=[.;!?])\s+(?=[A-Z"(])/);
  const bracketed = [...first.matchAll(BRACKETED)].map(([, letter]) => known(letter) ?? null);
  // A letter that no option has.
  if (bracketed.includes(null)) return null;
  const leading = LEADING.exec(first);
  const letter = leading?.[1] ?? leading?.[2] ?? leading?.[3];
  // A lower-case letter without brackets may be a word's beginning in a list; it counts where nothing follows it.
  const led = letter !== undefined && (/[A-Z]/.test(letter) || /^\W*\w\W*$/.test(first)) ? known(letter) : undefined;
  if (EITHER.test(first) && known(EITHER.exec(first)?.[1])) return null;
  const letters = new Set([...bracketed, led].filter((one) => one !== undefined));
  if (letters.size > 1) return null;
  const [named] = letters;
  // An option's text at the start, the longest first: "red blood cell" is not "red".
  const said = ` ${words(first)} `;
  const texts = choices
    .map(({ label, text }) => ({ label, text: words(text) }))
    .filter(({ text }) => text !== '' && said.includes(` ${text} `))
    .filter(({ text }, _, all) => !all.some((other) => other.text !== text && ` ${other.text} `.includes(` ${text} `)));
  if (named !== undefined) {
    const begins = texts.find(
      ({ text }) => words(first.replace(BRACKETED, ' ').replace(/^\W*[A-Za-z]\W/, ' ')) === text,
    );
    return begins && !texts.some(({ label }) => label === named) && begins.label !== named ? null : named;
  }
  if (texts.length > 1) return null;
  const [one] = texts;
  return one?.label;
}

/** The label of the option that a completion states; null = none, or more than one. */
export const parseChoice = (text: string, choices: Choice[], stops?: readonly string[]): string | null =>
  readAnswer(text, (stated) => readChoice(stated, choices), stops);

/** @throws Error if the right option is not among the options: the problem is at fault then. */
export const choice: Verifier = ({ problem, answer }) => {
  const choices = choicesOf(problem);
  const right = choices.find(({ label }) => problem.gold.includes(label));
  if (!right) throw new Error(`problem ${problem.id}: gold ${JSON.stringify(problem.gold)} is no option's letter`);
  if (answer === null) return incorrect('no answer found');
  const found = readChoice(answer.length === 1 ? `(${answer})` : answer, choices);
  if (typeof found !== 'string') return incorrect(`answered ${JSON.stringify(answer)}, which names no option`);
  return found === right.label ? correct() : incorrect(`answered (${found})`);
};
