/** The rows as a table, for a terminal and for README.md. */
import Table from 'cli-table3';
import type { BenchDocument, BenchRow } from './row.ts';
import type { Range } from './statistics.ts';

/** Three significant digits, thousands apart: 0.00312, 1.07, 12.4, 345, 19,576. */
export function figureOf(value: number): string {
  if (value === 0) return '0';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}
export const times = (ratio: number | null): string => (ratio === null ? '–' : `${ratio.toFixed(2)}×`);
export const between = (range: Range | null, form: (value: number) => string = figureOf): string =>
  range === null ? '–' : `${form(range[0])}–${form(range[1])}`;

const inUnit = (value: number | null, unit: string): string => {
  if (value === null) return '–';
  return unit === 'fraction' ? `${figureOf(value * 100)}%` : figureOf(value);
};

const HEAD = ['name', 'what', 'ours', 'peer', 'unit', 'ratio', 'spread'];

function cells({ name, about, ours, peer, peerName, unit, ratio, spread }: BenchRow): string[] {
  return [
    name,
    about,
    inUnit(ours, unit),
    peer === null ? '–' : `${inUnit(peer, unit)} (${peerName})`,
    unit === 'fraction' ? 'of wall time' : unit,
    times(ratio),
    spread.ratio === null ? between(spread.ours) : between(spread.ratio, (value) => value.toFixed(2)),
  ];
}
const besideCells = (row: BenchRow): string[][] =>
  row.beside.map(({ peerName, peer, ratio, spread, note }) => [
    '',
    '',
    '',
    peer === null ? `${peerName}: ${note ?? 'not measured'}` : `${inUnit(peer, row.unit)} (${peerName})`,
    row.unit,
    times(ratio),
    between(spread, (value) => value.toFixed(2)),
  ]);

export function table({ machine, rows, notAvailable }: BenchDocument): string {
  const drawn = new Table({ head: HEAD, style: { head: [], border: [] }, colWidths: [], wordWrap: true });
  for (const row of rows) drawn.push(cells(row), ...besideCells(row));
  const lines = [
    ...(rows.length > 0 ? [drawn.toString()] : []),
    `${machine.cpu}, ${machine.cores} cores, load ${machine.load} at the start, Node ${machine.node}, commit ${machine.commit}`,
    ...notAvailable.map(({ name, reason }) => `not measured: ${name}: ${reason.split('\n')[0]}`),
  ];
  return lines.join('\n');
}

/** A table in Markdown; text of peers can hold no pipe that would break it. */
export function markdownTable(rows: readonly BenchRow[]): string {
  const line = (values: string[]) => `| ${values.map((value) => value.replaceAll('|', '\\|')).join(' | ')} |`;
  return [
    line(HEAD),
    line(HEAD.map(() => '---')),
    ...rows.flatMap((row) => [line(cells({ ...row, name: `\`${row.name}\`` })), ...besideCells(row).map(line)]),
  ].join('\n');
}
