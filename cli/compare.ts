/** `compare <run> <run> …`: the runs side by side with intervals, from the store alone. */
import Table from 'cli-table3';
import { compareRuns } from '../report/compare.ts';
import { interval, minutes, percent } from '../report/statistics.ts';
import { EXIT } from './exit.ts';
import type { Context } from './parts.ts';
import { storedRun } from './recorded.ts';

const signed = (share: number): string => `${share < 0 ? '−' : '+'}${(Math.abs(share) * 100).toFixed(1)}`;

export async function compare(context: Context, runIds: string[]): Promise<number> {
  const { terminal } = context;
  const documents = [];
  for (const runId of new Set(runIds)) documents.push((await storedRun(context, runId)).document);
  const rows = compareRuns(documents);
  if (terminal.json) {
    terminal.document({ reference: rows[0]?.runId ?? null, runs: rows });
    return EXIT.ok;
  }
  const table = new Table({
    head: ['run', 'status', 'iterations', 'best', 'test %', '95%', 'less the first, 95%', 'minutes', 'tokens'],
    style: { head: [], border: [] },
  });
  for (const { runId, status, iterations, best, difference, note, seconds, tokens } of rows)
    table.push([
      runId,
      status,
      String(iterations),
      best === null ? '–' : `iteration ${best.n}`,
      percent(best?.accuracy.accuracy ?? null),
      interval(best?.accuracy ?? null),
      difference === null
        ? (note ?? '–')
        : `${signed(difference.value)} (${signed(difference.low)} to ${signed(difference.high)})`,
      minutes(seconds),
      tokens.toLocaleString('en'),
    ]);
  terminal.raw(`${table.toString()}\n`);
  terminal.say('best: chosen on dev, reported on test');
  return EXIT.ok;
}
