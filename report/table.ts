/**
 * The table of a run: one line per iteration, for a terminal and for Markdown.
 *
 *   iter  free% hinted% unjudged rejected sound% |     1     2     3 overall       95% | minutes
 *
 * At most 120 columns wide; strata that do not fit are counted below. The best iteration is the one the run chose on dev.
 */
import type { IterationRecord, RunDocument } from '../schemas/run.ts';
import { compareStrata } from '../schemas/accuracy.ts';
import { soundnessAlarms } from '../schemas/soundness.ts';
import { markdownTableOf } from './markdown-table.ts';
import { coded, oneLine } from './untrusted.ts';
import {
  bestOf,
  estimate,
  interval,
  minutes,
  overall,
  percent,
  secondsOf,
  shareOf,
  strataName,
  strataOf,
} from './statistics.ts';

const WIDTH = 120;
const STRATUM_WIDTH = 10;

export interface Column {
  head: string;
  group: 'ledger' | 'accuracy' | 'time';
  /** Set where the heading is a stratum's name, which the task chose. */
  stratum?: string;
  of(record: IterationRecord): string;
}

/** The columns after the iteration's number; the same for terminal, Markdown and HTML. */
export function columnsOf(document: RunDocument, strata = strataOf(document)): Column[] {
  return [
    { head: 'free %', group: 'ledger', of: (record) => percent(shareOf(record.ledger.acceptedFree, record)) },
    { head: 'hinted %', group: 'ledger', of: (record) => percent(shareOf(record.ledger.acceptedHinted, record)) },
    { head: 'unjudged', group: 'ledger', of: (record) => counted(record.ledger.unjudged, record) },
    { head: 'rejected', group: 'ledger', of: (record) => counted(record.ledger.rejected, record) },
    { head: 'sound %', group: 'ledger', of: (record) => percent(record.soundShare) },
    ...strata.map((stratum): Column => ({
      head: oneLine(stratum, STRATUM_WIDTH),
      group: 'accuracy',
      stratum,
      of: (record) => percent(estimate(record.accuracy, stratum)?.accuracy ?? null),
    })),
    { head: 'overall', group: 'accuracy', of: (record) => percent(overall(record.accuracy)?.accuracy ?? null) },
    { head: '95%', group: 'accuracy', of: (record) => interval(overall(record.accuracy)) },
    { head: 'minutes', group: 'time', of: (record) => minutes(secondsOf(record)) },
  ];
}

const counted = (count: number, record: IterationRecord): string => (record.drawn === 0 ? '–' : String(count));

/** The heading above the accuracies. */
export const accuracyHead = (document: RunDocument): string => {
  const name = strataName(document);
  return `test accuracy %${strataOf(document).length > 0 ? ` by ${name}` : ''}`;
};

/** What is worth saying of single iterations: nothing accepted, options changed, rows left unjudged. */
export function remarksOf(document: RunDocument): string[] {
  const alarms = soundnessAlarms(document.iterations.map((record) => ({ ...record, dev: record.dev.overall })));
  return document.iterations.flatMap((record) => {
    const changed = Object.entries(record.changed).map(([path, value]) => `${path}=${JSON.stringify(value)}`);
    const remarks = [
      record.carried && record.n > 0 ? 'nothing to train on; the model was carried over' : '',
      changed.length > 0 ? `options changed for it alone: ${changed.join(', ')}` : '',
      record.accuracy.unjudged > 0 ? `${record.accuracy.unjudged} test rows unjudged, left out of the accuracy` : '',
      rankingRemark(record),
      lossesRemark(record),
      callsRemark(record),
      stepsRemark(record),
      ...alarms.filter(({ n }) => n === record.n).map(({ reason }) => reason),
      record.attempt > 1 ? `attempt ${record.attempt}` : '',
    ].filter((remark) => remark !== '');
    return remarks.length > 0 ? [`iteration ${record.n}: ${remarks.join('; ')}`] : [];
  });
}

/** "calls of tools a text: small 0.02, two-step 1.01" */
function callsRemark({ calls }: IterationRecord): string {
  const by = Object.entries(calls ?? {}).sort(([x], [y]) => compareStrata(x, y));
  return by.length === 0
    ? ''
    : `calls of tools a text: ${by.map(([stratum, n]) => `${stratum} ${n.toFixed(2)}`).join(', ')}`;
}

/** "steps a text (of the gold) by stratum 2: 1.9 (2.0), 3: 3.4 (3.0)" */
function stepsRemark({ stepCounts }: IterationRecord): string {
  const by = Object.entries(stepCounts ?? {}).sort(([x], [y]) => compareStrata(x, y));
  const shown = by.map(([stratum, { own, gold }]) => `${stratum}: ${own.toFixed(1)} (${gold.toFixed(1)})`);
  return by.length === 0 ? '' : `steps a text (of the gold) by stratum ${shown.join(', ')}`;
}

/** "loss behind thoughts (as it is, behind other texts' thoughts): hard 0.42 (1.31, 1.66), filler 0.01 (0.01, 0.01)" */
function lossesRemark({ losses }: IterationRecord): string {
  const kinds = Object.entries(losses?.byKind ?? {});
  if (kinds.length === 0) return '';
  const thinks = kinds.every(([, { thinking }]) => thinking !== undefined);
  const told = kinds.map(([kind, { plain, thinking, shuffled }]) =>
    thinks
      ? `${kind} ${thinking?.toFixed(3)} (${plain.toFixed(3)}, ${shuffled?.toFixed(3)})`
      : `${kind} ${plain.toFixed(3)}`,
  );
  return `loss ${thinks ? "behind thoughts (as it is, behind other texts' thoughts)" : 'a part'}: ${told.join(', ')}`;
}

/** "best of 16 by the verifier 84.0%, by majority 75.0%, one 61.2%, any 93.0% (500 test problems)" */
function rankingRemark({ ranking }: IterationRecord): string {
  const [one, all] = [ranking?.byK[0], ranking?.byK.at(-1)];
  if (!ranking || !one || !all) return '';
  const left = ranking.unjudged > 0 ? `, ${ranking.unjudged} left out as unjudged` : '';
  return (
    `best of ${all.k} by the verifier ${percent(all.verifier)}%, by majority ${percent(all.majority)}%, ` +
    `one ${percent(one.pass)}%, any ${percent(all.pass)}% (${ranking.n} test problems${left})`
  );
}

/** "best: iteration 8, 98.4% (97.9–98.8) on test; chosen on dev" */
export function bestLine(document: RunDocument): string | null {
  const record = bestOf(document);
  const found = record && overall(record.accuracy);
  return found
    ? `iteration ${record.n}, ${percent(found.accuracy)}% (${interval(found)}) on test; chosen on dev`
    : null;
}

const EMPTY = 'No iteration is finished yet.';

/** For a terminal: plain aligned text, no colours, no control characters, at most 120 columns wide. */
export function runTable(document: RunDocument): string {
  const all = strataOf(document);
  for (let shown = all.length; ; shown--) {
    const lines = aligned(document, all.slice(0, shown));
    if (shown > 0 && lines.some((line) => line.length > WIDTH)) continue;
    const left = all.length - shown;
    const more = left > 0 ? [`… and ${left} more of ${strataName(document)}: see the report`] : [];
    return [...lines, ...more, ...footer(document)].join('\n');
  }
}

function aligned(document: RunDocument, strata: string[]): string[] {
  if (document.iterations.length === 0) return [EMPTY];
  const columns = columnsOf(document, strata);
  const rows = document.iterations.map((record) => [
    `${record.n === document.best?.n ? '*' : ' '} ${record.n}`,
    ...columns.map((column) => column.of(record)),
  ]);
  const heads = ['iter', ...columns.map((column) => column.head)];
  const widths = heads.map((head, i) => Math.max(head.length, ...rows.map((row) => (row[i] ?? '').length)));
  // a wider gap where one group of columns ends
  const gap = (i: number) =>
    i === 0 ? '' : columns[i - 2]?.group === columns[i - 1]?.group ? ' '.repeat(2) : ' '.repeat(4);
  const line = (cells: string[]) => cells.map((cell, i) => gap(i) + cell.padStart(widths[i] ?? 0)).join('');
  const first = columns.findIndex((column) => column.group === 'accuracy') + 1;
  const before = widths.slice(0, first).reduce((sum, width, i) => sum + width + gap(i).length, 0) + gap(first).length;
  const body = rows.map(line);
  const head = line(heads);
  return [' '.repeat(before) + accuracyHead(document), head, '─'.repeat(head.length), ...body];
}

function footer(document: RunDocument): string[] {
  const best = bestLine(document);
  const row = (name: string, value: string | null) => `${name.padEnd(13)}${oneLine(value ?? '–', WIDTH - 13)}`;
  return [
    '',
    ...(best ? [row('* best', best)] : []),
    ...remarksOf(document).map((remark) => oneLine(remark, WIDTH)),
    row('ledger', document.ledgerDigest),
    row('weights', document.weightsDigest),
    row('fingerprint', document.fingerprint),
  ];
}

/** The same for Markdown, with all strata. Text of others stands in code spans it cannot leave. */
export function markdownTable(document: RunDocument): string {
  const columns = columnsOf(document);
  const best = bestLine(document);
  const name = strataName(document);
  const heads = columns.map(({ head, stratum }) =>
    stratum === undefined ? head : `${name} ${coded(stratum, STRATUM_WIDTH)}`,
  );
  const rows = document.iterations.map((record) => {
    const bold = record.n === document.best?.n;
    return [String(record.n), ...columns.map((column) => column.of(record))].map((cell) =>
      bold ? `**${cell}**` : cell,
    );
  });
  const table =
    rows.length === 0
      ? EMPTY
      : markdownTableOf(['iteration', ...heads], rows, '---:') + `\n\nFrom ${name} on: accuracy on test, in %.`;
  return [
    table,
    '',
    ...(best ? [`- **best**: ${best}`] : []),
    ...remarksOf(document).map((remark) => `- ${coded(remark, 1000)}`),
    `- ledger: ${coded(document.ledgerDigest ?? '')}`,
    `- weights: ${coded(document.weightsDigest ?? '')}`,
    `- fingerprint: ${coded(document.fingerprint)}`,
    '',
  ].join('\n');
}
