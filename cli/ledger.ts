/** `ledger <run>`: one row a problem and iteration with its outcome, from the sealed ledgers in the store. */
import { z } from 'zod';
import { readRows } from '../store/rows.ts';
import { EXIT } from './exit.ts';
import type { Context } from './parts.ts';
import { sealedIteration, storedRun } from './recorded.ts';
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
  const { store, document } = await storedRun(context, runId);
  const wanted = options.iteration === undefined ? document.iterations : [sealedIteration(document, options.iteration)];
  const rows: Record<string, unknown>[] = [];
  for (const record of wanted) {
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
