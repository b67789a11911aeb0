/** `ledger <run>`: one row a problem and iteration with its outcome, from the sealed ledgers in the store. */
import { z } from 'zod';
import { readRows } from '../store/rows.ts';
import { readRun, runIds, unknownRun } from './document.ts';
import { CliError, EXIT } from './exit.ts';
import { readStore } from './parts.ts';
import type { Context } from './parts.ts';
import { clean } from './terminal.ts';

export const OUTCOMES = ['accepted-free', 'accepted-hinted', 'rejected', 'unjudged'] as const;
export type Outcome = (typeof OUTCOMES)[number];

export interface LedgerOptions {
  outcome?: Outcome;
  iteration?: number;
  limit?: number;
}

export async function ledger(context: Context, runId: string, options: LedgerOptions): Promise<number> {
  const { terminal } = context;
  const store = await readStore(context.home);
  const document = store ? await readRun(store, runId) : undefined;
  if (!store || !document) throw unknownRun(runId, store ? await runIds(store) : []);
  const known = document.iterations.map((record) => record.n);
  if (options.iteration !== undefined && !known.includes(options.iteration))
    throw new CliError(
      EXIT.input,
      'UnknownIteration',
      `run ${runId} has no sealed iteration ${options.iteration}; it has ${known.join(', ') || 'none'}`,
    );
  const rows: Record<string, unknown>[] = [];
  for (const record of document.iterations) {
    if (options.iteration !== undefined && record.n !== options.iteration) continue;
    const ledger = { shards: [record.ledgerRef], rows: record.ledgerRef.rows ?? 0 };
    for (const row of await readRows(store, ledger, z.record(z.string(), z.unknown()))) {
      if (!('outcome' in row) || (options.outcome !== undefined && row.outcome !== options.outcome)) continue;
      rows.push({ iteration: record.n, ...row });
    }
  }
  const shown = options.limit === undefined ? rows : rows.slice(0, options.limit);
  if (terminal.json) terminal.document({ runId, rows: shown, total: rows.length });
  else {
    for (const row of shown) terminal.say(clean(JSON.stringify(row)));
    process.stderr.write(`${shown.length} of ${rows.length} rows\n`);
  }
  return EXIT.ok;
}
