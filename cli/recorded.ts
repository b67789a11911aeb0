/** Runs and iterations that a command names, from the store; each unknown one is a sentence and exit 2. */
import { ApplicationFailure } from '@temporalio/common';
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

/** Runs a check of the worker's here; its InvalidInput becomes exit 2. */
export function asInput<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof ApplicationFailure) || error.type !== 'InvalidInput') throw error;
    throw new CliError(EXIT.input, 'InvalidInput', error.message, error.details?.[0] ?? null);
  }
}
