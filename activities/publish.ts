/**
 * publish: writes the run's document to the store, where it stays when Temporal has forgotten the run, and tells of a run
 * that failed or waits, unless it is another's part (`quiet`). Digests over all iterations are taken here, because workflow
 * code has no hash function.
 */
import { createHash } from 'node:crypto';
import { canonicalJson } from '../schemas/canonical.ts';
import { IterationRecord, RunDocument } from '../schemas/run.ts';
import type { IterationSummary } from '../schemas/run.ts';
import { StoreError } from '../store/store.ts';
import type { Store } from '../store/store.ts';
import type { Dependencies } from './dependencies.ts';
import { rethrow } from './failures.ts';
import { runMetrics } from './metrics.ts';
import { markSeen } from './problem-source.ts';

export type Published = Pick<RunDocument, 'ledgerDigest' | 'weightsDigest' | 'best'>;
export type Unpublished = Omit<RunDocument, keyof Published | 'updatedAt' | 'fingerprint' | 'iterations'> & {
  iterations: IterationSummary[];
};

/** Best on dev (the earliest of equals), reported on test: no decision reads the test split. Pure. */
export function bestOf(iterations: RunDocument['iterations']): RunDocument['best'] {
  let best: RunDocument['iterations'][number] | undefined;
  for (const record of iterations) if (!best || record.dev.overall > best.dev.overall) best = record;
  return best ? { n: best.n, accuracy: best.accuracy.overall } : null;
}

export function digestsOf(iterations: RunDocument['iterations']): Omit<Published, 'best'> {
  const hash = createHash('sha256');
  for (const record of iterations) hash.update(`${record.ledgerDigest}\n`);
  return {
    ledgerDigest: iterations.length === 0 ? null : `sha256:${hash.digest('hex')}`,
    weightsDigest: iterations.at(-1)?.weightsDigest ?? null,
  };
}

export const publish =
  (deps: Dependencies) =>
  async (document: Unpublished, { quiet = false }: { quiet?: boolean } = {}): Promise<Published> => {
    try {
      const iterations = await Promise.all(
        document.iterations.map(({ record }, n) => recordAt(deps.store, record.digest, document.runId, n)),
      );
      const published = { ...digestsOf(iterations), best: bestOf(iterations) };
      const whole: RunDocument = {
        ...document,
        iterations,
        ...published,
        fingerprint: document.resolved?.context.fingerprint ?? '',
        updatedAt: new Date().toISOString(),
      };
      await deps.store.replaceName(`runs/${document.runId}`, whole);
      runMetrics(document);
      const { status, runId, task, reason, resolved } = document;
      if (status === 'done' && resolved) await markSeen(deps.store, resolved.context);
      if (!quiet && (status === 'failed' || status === 'waiting'))
        await deps.notify?.({ format: 1, what: status, run: runId, task, reason: reason ?? '', at: whole.updatedAt });
      return published;
    } catch (error) {
      rethrow(error);
    }
  };

/** A record that is damaged or gone is put back from the run's document, which holds all that were sealed before. */
async function recordAt(store: Store, digest: string, runId: string, n: number): Promise<IterationRecord> {
  try {
    return IterationRecord.parse(JSON.parse((await store.read(digest)).toString('utf8')));
  } catch (error) {
    if (!(error instanceof StoreError) || error.digest !== digest) throw error;
    const kept = RunDocument.safeParse(await store.getName(`runs/${runId}`)).data?.iterations[n];
    if (kept === undefined || (await store.put(canonicalJson(kept))).digest !== digest) throw error;
    return kept;
  }
}
