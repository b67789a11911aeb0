/** `compare <run> <run> …`: the paper's table over runs, with intervals and paired differences, from the store alone. */
import Table from 'cli-table3';
import { compareRuns, differenceText, unlike } from '../report/compare.ts';
import type { Compared } from '../report/compare.ts';
import { outcomesOf } from '../report/paired.ts';
import type { Outcomes } from '../report/paired.ts';
import { PUBLISHED, publishedOf } from '../report/published.ts';
import type { Published } from '../report/published.ts';
import { interval, minutes, percent } from '../report/statistics.ts';
import type { RunDocument } from '../schemas/run.ts';
import { CliError, EXIT } from './exit.ts';
import type { Context } from './parts.ts';
import { storedRun } from './recorded.ts';
import type { Terminal } from './terminal.ts';

export interface CompareOptions {
  allowDifferentForms?: boolean;
}

export async function compare(context: Context, runIds: string[], options: CompareOptions = {}): Promise<number> {
  const { terminal } = context;
  const documents: RunDocument[] = [];
  let outcomes = new Map<string, Outcomes>();
  for (const runId of new Set(runIds)) {
    const { store, document } = await storedRun(context, runId);
    documents.push(document);
    outcomes = new Map([...outcomes, ...(await outcomesOf(store, [document]))]);
  }
  const why = unlike(documents);
  if (why !== null && !options.allowDifferentForms)
    throw new CliError(EXIT.input, 'RunsUnlike', `${why}; --allow-different-forms puts them side by side all the same`);
  const rows = compareRuns(documents, outcomes);
  const published = PUBLISHED[documents[0]?.task ?? ''];
  if (terminal.json) terminal.document({ reference: rows[0]?.runId ?? null, runs: rows, published: published ?? null });
  else showCompared(terminal, rows);
  return EXIT.ok;
}

const publishedText = (published: Published | undefined): string => {
  if (!published) return '–';
  return `${published.accuracy.toFixed(1)}${published.used === null ? '' : ` (${published.used.toFixed(1)})`}`;
};

/**
 * The table for people; what the paper reports of each method in a column of its own, and its whole table below. Without ids where
 * every run has a method of its own.
 */
export function showCompared(terminal: Terminal, rows: Compared[], { ids = true } = {}): void {
  const task = rows[0]?.task ?? '';
  const published = PUBLISHED[task];
  const table = new Table({
    head: [
      ...(ids ? ['run'] : []),
      ...['method', 'form', 'best', 'test %', '95%', 'less the first, 95%', 'used: free, hinted %', 'minutes'],
      ...(published ? ['paper: test (used) %'] : []),
    ],
    style: { head: [], border: [] },
  });
  for (const { runId, recipe, form, used, best, difference, note, seconds } of rows)
    table.push([
      ...(ids ? [runId] : []),
      recipe,
      form,
      best === null ? '–' : `iteration ${best.n}`,
      percent(best?.accuracy.accuracy ?? null),
      interval(best?.accuracy ?? null),
      difference === null ? (note ?? '–') : differenceText(difference),
      used.gold === null ? `${percent(used.free)}, ${percent(used.hinted)}` : 'all answers',
      minutes(seconds),
      ...(published ? [publishedText(publishedOf(task, recipe))] : []),
    ]);
  terminal.raw(`${table.toString()}\n`);
  terminal.say('best: chosen on dev, reported on test · used: part of the problems drawn in that iteration');
  if (!published) return;
  const told = new Table({ head: ['published', 'test %', 'used %'], style: { head: [], border: [] } });
  for (const { method, accuracy, used } of published.rows)
    told.push([method, accuracy.toFixed(1), used === null ? '–' : used.toFixed(1)]);
  terminal.raw(`${told.toString()}\n`);
  terminal.say(published.source);
}
