/** What both forms of `theory` print alike: their cells, and table and text on the terminal. */
import Table from 'cli-table3';
import type { Terminal } from './terminal.ts';

export const share = (value: number | null | undefined): string =>
  value === null || value === undefined ? '–' : value.toFixed(4);
const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(4)}`;

/** "+0.0060 (−0.0100 to +0.0220)" */
export const offCell = ({ off, interval }: { off: number | null; interval: [number, number] | null }): string =>
  off === null ? '–' : signed(off) + (interval ? ` (${interval.map(signed).join(' to ')})` : '');

export function sayTable(terminal: Terminal, title: string, head: string[], rows: string[][]): void {
  const table = new Table({ head, style: { head: [], border: [] } });
  table.push(...rows);
  terminal.say(title);
  terminal.raw(`${table.toString()}\n`);
}
