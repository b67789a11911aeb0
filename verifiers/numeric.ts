/**
 * Numeric: the answer is the same number as one of the accepted forms, however it is written.
 *
 *   numeric({ problem: { gold: ['1016'], … }, text, answer: '1,016.0' })   // correct
 *
 * Integers and decimals of any length, with a sign, commas between groups of three, leading and trailing zeros. Compared as
 * digits, never as floating point: 0.1 is 0.1, and 9007199254740993 is not 9007199254740992. Pure.
 *
 * Limits: no fractions, exponents, units or percent signs; a task that has those strips them in its parser.
 */
import { correct, incorrect } from './verifier.ts';
import type { Verifier } from './verifier.ts';

const FORM = /^([+-]?)(\d+|\d{1,3}(?:,\d{3})+|(?=\.\d))(?:\.(\d*))?$/;

/** The one way to write a number (`-12.5`), or null if the text is none. */
export function normalNumber(text: string): string | null {
  const found = FORM.exec(text.trim());
  if (!found) return null;
  const whole = (found[2] ?? '').replaceAll(',', '').replace(/^0+(?=\d)/, '') || '0';
  const decimals = (found[3] ?? '').replace(/0+$/, '');
  const size = decimals === '' ? whole : `${whole}.${decimals}`;
  return found[1] === '-' && size !== '0' ? `-${size}` : size;
}

/** @throws Error if no accepted form is a number: the problem is at fault then, not the answer, so it stays unjudged. */
export const numeric: Verifier = ({ problem, answer }) => {
  const accepted = problem.gold.map(normalNumber).filter((form) => form !== null);
  if (accepted.length === 0)
    throw new Error(`problem ${problem.id}: gold ${JSON.stringify(problem.gold)} holds no number`);
  if (answer === null) return incorrect('no answer found');
  const found = normalNumber(answer);
  if (found === null) return incorrect(`answered ${JSON.stringify(answer)}, which is no number`);
  return accepted.includes(found) ? correct() : incorrect(`answered ${JSON.stringify(answer)}`);
};
