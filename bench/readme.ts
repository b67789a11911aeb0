/**
 * The table between two markers of README.md, from bench/results/: no figure in it is written by hand.
 *
 *   <!-- bench:begin -->
 *   …
 *   <!-- bench:end -->
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { BenchResult } from './row.ts';
import { writeText } from './results.ts';
import { markdownTable } from './table.ts';

export const BEGIN = '<!-- bench:begin -->';
export const END = '<!-- bench:end -->';
const readme = fileURLToPath(new URL('../README.md', import.meta.url));

/** The text with what stands between the markers replaced. @throws Error where there is not exactly one pair of them. */
export function withTable(text: string, content: string): string {
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from || text.lastIndexOf(BEGIN) !== from || text.lastIndexOf(END) !== to)
    throw new Error(
      `README.md: expected one line ${BEGIN} and after it one ${END}; put them where the table shall stand`,
    );
  return `${text.slice(0, from + BEGIN.length)}\n\n${content}\n\n${text.slice(to)}`;
}

/** What stands between the markers: the table, and where and when each row of it was measured. */
export function content(results: readonly BenchResult[]): string {
  const groups = new Map<string, string[]>();
  for (const { machine, measuredAt, row } of results) {
    const { cpu, cores, memoryGiB, system, node, commit, load } = machine;
    const where = `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${system}, Node ${node}; ${measuredAt.slice(0, 10)}, commit ${commit}, load ${load}`;
    groups.set(where, [...(groups.get(where) ?? []), `\`${row.name}\``]);
  }
  return [
    markdownTable(results.map(({ row }) => row)),
    '',
    'Medians; spread = lowest and highest ratio of a repetition; above 1 we are ahead. `npm run bench` measures, `npm run bench --',
    '--readme` writes this table. Measured on:',
    ...[...groups].map(([where, names]) => `- ${where}: ${names.join(', ')}`),
  ].join('\n');
}

/** @returns whether the file changed */
export function updateReadme(results: readonly BenchResult[], file = readme): boolean {
  const before = readFileSync(file, 'utf8');
  const after = withTable(before, content(results));
  if (after !== before) writeText(file, after);
  return after !== before;
}
