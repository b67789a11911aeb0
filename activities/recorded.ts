/** What a run's document says, for replays and forks. Throws InvalidInput where there is nothing to go on from. */
import { RunDocument } from '../schemas/run.ts';
import type { IterationRecord, ResolvedRun } from '../schemas/run.ts';
import type { Store } from '../store/store.ts';
import { invalidInput } from './failures.ts';

export type Recorded = RunDocument & { resolved: ResolvedRun };

/** The document of a run that came as far as being resolved. `field` is the input's, for the sentence. */
export async function recordedRun(store: Store, runId: string, field: string): Promise<Recorded> {
  const found = await store.getName(`runs/${runId}`);
  if (found === undefined) throw invalidInput([{ field, message: `the store has no run "${runId}"` }]);
  const document = RunDocument.parse(found);
  const { resolved } = document;
  if (!resolved) throw invalidInput([{ field, message: `run "${runId}" ended before its first iteration` }]);
  return { ...document, resolved };
}

export function sealedIteration(document: RunDocument, n: number, field: string): IterationRecord {
  const record = document.iterations.find((one) => one.n === n);
  if (record) return record;
  const known = document.iterations.map((one) => one.n).join(', ') || 'none';
  throw invalidInput([{ field, message: `run "${document.runId}" has no sealed iteration ${n}; it has ${known}` }]);
}
