/**
 * Reading artifacts for people: what is gone or damaged is named instead of failing, because a report of a run whose store
 * was thinned out is still worth having.
 */
import { z } from 'zod';
import type { ArtifactRef } from '../schemas/artifact.ts';
import { readRows } from '../store/rows.ts';
import type { Store } from '../store/store.ts';

/** "ArtifactMissing: sha256:9f86d081…"; no message of the store, which may name folders of the machine. */
function reason(error: unknown, ref: ArtifactRef): string {
  const code = (error as { code?: unknown } | null)?.code;
  return `${typeof code === 'string' ? code : 'not readable'}: ${ref.digest.slice(0, 15)}…`;
}

/**
 * The rows of a JSONL artifact. `missing` says why there are none, or that some lines are not what they should be.
 * Only lines that `wanted` lets through are checked against the schema: checking every row of an iteration takes longer
 * than everything else in a report.
 */
export async function readLines<T>(
  store: Store,
  ref: ArtifactRef,
  schema: z.ZodType<T>,
  wanted: (line: unknown) => boolean = () => true,
): Promise<{ rows: T[]; missing: string | null }> {
  const rows: T[] = [];
  let odd = 0;
  try {
    for (const line of await readRows(store, { shards: [ref], rows: ref.rows ?? 0 }, z.unknown())) {
      if (!wanted(line)) continue;
      const row = schema.safeParse(line);
      if (row.success) rows.push(row.data);
      else odd += 1;
    }
  } catch (error) {
    return { rows: [], missing: reason(error, ref) };
  }
  return { rows, missing: odd > 0 ? `${odd} lines of another shape in ${ref.digest.slice(0, 15)}…` : null };
}

/** A JSON document, or why it can't be had. */
export async function readDocument(
  store: Store,
  ref: ArtifactRef,
): Promise<{ value: unknown; missing: string | null }> {
  try {
    return { value: JSON.parse((await store.read(ref.digest)).toString('utf8')), missing: null };
  } catch (error) {
    return { value: undefined, missing: reason(error, ref) };
  }
}
