/** What came of each kind of fault, as the table that a siege prints. */
import Table from 'cli-table3';
import { KINDS } from './plan.ts';
import type { Kind } from './plan.ts';

export interface Outcome {
  kind: Kind;
  finished: boolean;
  equal: boolean;
  waited: boolean;
  repaired: boolean;
}

const COLUMNS = ['finished', 'equal', 'waited', 'repaired'] as const;

/** Rows in the order of `KINDS`; kinds that did not come are left out. */
export function tally(outcomes: Outcome[]): string {
  const table = new Table({
    head: ['fault', 'count', 'finished', 'digests equal', 'waited', 'repaired'],
    style: { head: [], border: [], compact: true },
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right'],
  });
  const row = (name: string, of: Outcome[]) =>
    table.push([name, of.length, ...COLUMNS.map((column) => of.filter((one) => one[column]).length)]);
  for (const kind of KINDS) {
    const of = outcomes.filter((one) => one.kind === kind);
    if (of.length > 0) row(kind, of);
  }
  row('all', outcomes);
  return table.toString();
}
