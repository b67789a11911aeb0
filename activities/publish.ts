/**
 * publish: writes the run's document to the store, where it stays when Temporal has forgotten the run. Digests over all
 * iterations are taken here, because workflow code has no hash function.
 */
import { createHash } from 'node:crypto';
import { IterationRecord } from '../schemas/run.ts';
import type { IterationSummary, RunDocument } from '../schemas/run.ts';
import type { Dependencies } from './dependencies.ts';
import { rethrow } from './failures.ts';

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
  async (document: Unpublished): Promise<Published> => {
    try {
      const iterations = await Promise.all(
        document.iterations.map(async ({ record }) =>
          IterationRecord.parse(JSON.parse((await deps.store.read(record.digest)).toString('utf8'))),
        ),
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
      return published;
    } catch (error) {
      rethrow(error);
    }
  };
