/** `compare <run> <run> …`: the paper's table over runs, with intervals and paired differences, from the store alone. */
import Table from 'cli-table3';
import { compareRuns, unlike } from '../report/compare.ts';
import { testOutcomes } from '../report/paired.ts';
import type { Outcomes } from '../report/paired.ts';
import { PUBLISHED } from '../report/published.ts';
import { bestOf, interval, minutes, percent } from '../report/statistics.ts';
import { CliError, EXIT } from './exit.ts';
import type { Context } from './parts.ts';
import { storedRun } from './recorded.ts';

const signed = (share: number): string => `${share < 0 ? '−' : '+'}${(Math.abs(share) * 100).toFixed(1)}`;

export interface CompareOptions {
  allowDifferentForms?: boolean;
}

export async function compare(context: Context, runIds: string[], options: CompareOptions = {}): Promise<number> {
  const { terminal } = context;
  const documents = [];
  const outcomes = new Map<string, Outcomes>();
  for (const runId of new Set(runIds)) {
    const { store, document } = await storedRun(context, runId);
    documents.push(document);
    const best = bestOf(document);
    if (best) outcomes.set(runId, await testOutcomes(store, best));
  }
  const why = unlike(documents);
  if (why !== null && !options.allowDifferentForms)
    throw new CliError(EXIT.input, 'RunsUnlike', `${why}; --allow-different-forms puts them side by side all the same`);
  const rows = compareRuns(documents, outcomes);
  const published = PUBLISHED[documents[0]?.task ?? ''];
  if (terminal.json) {
    terminal.document({ reference: rows[0]?.runId ?? null, runs: rows, published: published ?? null });
    return EXIT.ok;
  }
  const table = new Table({
    head: ['run', 'method', 'form', 'best', 'test %', '95%', 'less the first, 95%', 'used: free, hinted %', 'minutes'],
    style: { head: [], border: [] },
  });
  for (const { runId, recipe, form, used, best, difference, note, seconds } of rows)
    table.push([
      runId,
      recipe,
      form,
      best === null ? '–' : `iteration ${best.n}`,
      percent(best?.accuracy.accuracy ?? null),
      interval(best?.accuracy ?? null),
      difference === null
        ? (note ?? '–')
        : `${signed(difference.value)} (${signed(difference.low)} to ${signed(difference.high)})`,
      used.gold === null ? `${percent(used.free)}, ${percent(used.hinted)}` : 'all answers',
      minutes(seconds),
    ]);
  terminal.raw(`${table.toString()}\n`);
  terminal.say('best: chosen on dev, reported on test · used: part of the problems drawn in that iteration');
  if (published) {
    const told = new Table({ head: ['published', 'test %', 'used %'], style: { head: [], border: [] } });
    for (const { method, accuracy, used } of published.rows)
      told.push([method, accuracy.toFixed(1), used === null ? '–' : used.toFixed(1)]);
    terminal.raw(`${told.toString()}\n`);
    terminal.say(published.source);
  }
  return EXIT.ok;
}
