/** Runs and iterations that a command names, from the store; each unknown one is a sentence and exit 2. */
import type { IterationRecord, ResolvedRun, RunDocument } from '../schemas/run.ts';
import type { Store } from '../store/store.ts';
import { readRun, runIds, unknownRun } from './document.ts';
import { CliError, EXIT } from './exit.ts';
import { readStore } from './parts.ts';
import type { Context } from './parts.ts';

/** Throws UnknownRun. */
export async function storedRun(context: Context, runId: string): Promise<{ store: Store; document: RunDocument }> {
  const store = await readStore(context.home);
  const document = store ? await readRun(store, runId) : undefined;
  if (!store || !document) throw unknownRun(runId, store ? await runIds(store) : []);
  return { store, document };
}

/** Throws UnknownIteration. */
export function sealedIteration(document: RunDocument, n: number): IterationRecord {
  const record = document.iterations.find((one) => one.n === n);
  if (record) return record;
  const known = document.iterations.map((one) => one.n).join(', ') || 'none';
  throw new CliError(
    EXIT.input,
    'UnknownIteration',
    `run ${document.runId} has no sealed iteration ${n}; it has ${known}`,
  );
}

/** Throws NothingRecorded for a run that ended before it was resolved. */
export function resolvedRun(document: RunDocument): RunDocument & { resolved: ResolvedRun } {
  const { resolved } = document;
  if (resolved) return { ...document, resolved };
  throw new CliError(
    EXIT.input,
    'NothingRecorded',
    `run ${document.runId} ended before its first iteration; there is nothing to go on from`,
  );
}

/** What the memo spared and what was done: the end of `replay` and the lines after a fork. Pure. */
export function reusedLine(
  stages: NonNullable<IterationRecord['stages']>,
  shards: IterationRecord['shards'],
  what: '' | ' stages',
): string {
  const entries = Object.entries(stages);
  const redone = entries.filter(([, counts]) => counts.redone > 0).map(([name]) => name);
  const names = redone.length > 0 ? ` (${redone.join(', ')})` : '';
  return (
    `${entries.length - redone.length} of ${entries.length}${what} reused, ${redone.length} re-done${names}` +
    ` · shards ${shards.reused} reused, ${shards.redone} re-done`
  );
}
