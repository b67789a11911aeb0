/**
 * Runs side by side: each at its best iteration (chosen on dev, reported on test), with 95% intervals, and the difference to
 * the first run.
 *
 * The interval of a difference joins the two runs' own by the method of variance estimates recovery (Zou & Donner 2008, doi
 * 10.1002/sim.3095), as if the runs had been tested on different problems. On the same problems it is too wide rather than
 * too narrow: a difference that is clear here is clear.
 */
import { compareStrata } from '../schemas/accuracy.ts';
import type { RunDocument } from '../schemas/run.ts';
import { bestOf, estimate, overall, secondsOf, tokensOf } from './statistics.ts';
import type { Estimate } from './statistics.ts';

export interface Compared {
  runId: string;
  status: RunDocument['status'];
  recipe: string;
  task: string;
  seed: number;
  /** Iterations after the base. */
  iterations: number;
  best: { n: number; accuracy: Estimate; byStratum: Record<string, Estimate> } | null;
  /** Best minus that of the first run; null for the first itself and where the two can't be held against each other. */
  difference: { value: number; low: number; high: number } | null;
  /** Why there is no difference, where one was to be expected. */
  note: string | null;
  seconds: number;
  tokens: number;
}

/** a − b with its interval. Pure. */
export function differenceOf(a: Estimate, b: Estimate): { value: number; low: number; high: number } {
  const value = a.accuracy - b.accuracy;
  return {
    value,
    low: value - Math.hypot(a.accuracy - a.low, b.high - b.accuracy),
    high: value + Math.hypot(a.high - a.accuracy, b.accuracy - b.low),
  };
}

/** Two runs whose test splits are the same rows. */
const sameTest = (a: RunDocument, b: RunDocument): boolean =>
  a.resolved !== null &&
  b.resolved !== null &&
  JSON.stringify(a.resolved.test.shards.map((ref) => ref.digest)) ===
    JSON.stringify(b.resolved.test.shards.map((ref) => ref.digest));

/** In the order given. Pure. */
export function compareRuns(documents: RunDocument[]): Compared[] {
  const [first] = documents;
  const reference = first && bestOf(first);
  const against = reference && overall(reference.accuracy);
  return documents.map((document) => {
    const record = bestOf(document);
    const accuracy = record && overall(record.accuracy);
    const strata = record ? Object.keys(record.accuracy.byStratum).sort(compareStrata) : [];
    const comparable = first !== undefined && document !== first && sameTest(first, document);
    return {
      runId: document.runId,
      status: document.status,
      recipe: document.recipe,
      task: document.task,
      seed: document.seed,
      iterations: Math.max(0, document.iterations.length - 1),
      best:
        record && accuracy
          ? {
              n: record.n,
              accuracy,
              byStratum: Object.fromEntries(
                strata.flatMap((stratum) => {
                  const one = estimate(record.accuracy, stratum);
                  return one ? [[stratum, one] as const] : [];
                }),
              ),
            }
          : null,
      difference: comparable && accuracy && against ? differenceOf(accuracy, against) : null,
      note: document === first || comparable || !accuracy ? null : 'other test problems than the first run',
      seconds: document.iterations.reduce((sum, one) => sum + secondsOf(one), 0),
      tokens: document.iterations.reduce((sum, one) => sum + tokensOf(one), 0),
    };
  });
}
