/**
 * Label: the answer is one of a closed set of words, and it is the right one.
 *
 *   parseLabel('… so the evidence is not hearsay. The answer is No.', ['Yes', 'No'])    // 'No'
 *
 * The label stands at the beginning of what is stated, whatever its case and the marks around it; "yes and no", "not
 * generic" and a second label joined to the first are no answer. Pure.
 *
 * Limits: a synonym ("true" for yes) is no label.
 */
import { readAnswer } from './answer.ts';
import { correct, incorrect } from './verifier.ts';
import type { Verifier } from './verifier.ts';

const escaped = (label: string): string => label.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
const INTRODUCED =
  /^(?:that\s+)?(?:(?:it|this|the (?:mark|clause|evidence|statement))\s+is\s+)?(?:an?\s+|the\s+)?(?:label\s+)?/i;

function readLabel(stated: string, labels: readonly string[]): string | null | undefined {
  const line = stated
    .normalize('NFKC')
    .replace(/\\(?:text|textbf|mathrm|boxed)\s*|[*`$"'“”‘’(){}[\]]/g, '')
    .trim()
    .replace(INTRODUCED, '');
  const one = labels.map(escaped).join('|');
  const found = new RegExp(`^(${one})(?![\\p{L}\\p{N}-])(.*)$`, 'iu').exec(line);
  if (!found)
    return new RegExp(`^(?:not|neither|either|both)\\b|(?<![\\p{L}])(?:${one})(?![\\p{L}])`, 'iu').test(line)
      ? null
      : undefined;
  if (new RegExp(`^\\W*(?:or|and|\\/|,)\\s*(?:also\\s+)?(?:${one})(?![\\p{L}\\p{N}])`, 'iu').test(found[2]!))
    return null;
  if (new RegExp(`^\\s*\\/\\s*(?:${one})`, 'iu').test(found[2]!)) return null;
  return labels.find((label) => label.toLowerCase() === found[1]!.toLowerCase());
}

/** The label a completion states, as the set writes it; null = none, or more than one. */
export const parseLabel = (text: string, labels: readonly string[], stops?: readonly string[]): string | null =>
  readAnswer(text, (stated) => readLabel(stated, labels), stops);

/** @throws Error if the problem's own label is not in the set. */
export const label =
  (labels: readonly string[]): Verifier =>
  ({ problem, answer }) => {
    const [gold = ''] = problem.gold;
    if (!labels.includes(gold))
      throw new Error(`problem ${problem.id}: gold ${JSON.stringify(gold)} is none of ${labels.join(', ')}`);
    if (answer === null) return incorrect('no answer found');
    const found = readLabel(answer, labels);
    if (typeof found !== 'string') return incorrect(`answered ${JSON.stringify(answer)}, which is no label`);
    return found === gold ? correct() : incorrect(`answered ${found}`);
  };
