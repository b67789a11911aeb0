/** What is said of a problem beside a rationale; the same for HTML and Markdown. */
import type { Judged } from '../schemas/verdict.ts';
import { oneLine } from './untrusted.ts';

const LONGEST = 600;

/**
 * Stratum, gold and what the task keeps of the problem. Only the task can read `data`, so plain values of it are listed by
 * their names, and left out where the problem's id already says them (`264+752`).
 */
export function shown(row: Judged, strata: string): { name: string; text: string }[] {
  const { problem } = row.rationale;
  const plain = Object.entries(problem.data)
    .filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value))
    .map(([name, value]) => ({ name: oneLine(name, 40), text: oneLine(String(value), LONGEST) }))
    .filter(({ text }) => !problem.id.includes(text));
  return [
    ...plain,
    { name: 'gold', text: oneLine(problem.gold.slice(0, 4).join(' · '), LONGEST) },
    { name: strata, text: oneLine(problem.stratum, 40) },
  ];
}
