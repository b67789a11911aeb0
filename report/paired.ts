/**
 * Two runs on the same problems: the difference of their accuracies, paired, with a 95% interval.
 *
 *   pairedDifference(star, base)   // { value: 0.121, low: 0.084, high: 0.157, n: 501, gained: 74, lost: 13 }
 *
 * Within a stratum Newcombe's score interval for paired shares (1998, doi 10.1002/(SICI)1097-0258(19981130)17:22<2635), without
 * his continuity correction; over the strata, unweighted as the accuracy itself, as report/compare.ts joins them. Problems
 * that one of the two left unjudged are left out. Pure, but for `testOutcomes` and `outcomesOf`.
 */
import { compareStrata, wilson } from '../schemas/accuracy.ts';
import type { IterationRecord, RunDocument } from '../schemas/run.ts';
import { Judged } from '../schemas/verdict.ts';
import { asSlice, readRows } from '../store/rows.ts';
import type { Store } from '../store/store.ts';
import { bestOf } from './statistics.ts';

/** Judged test problems by their id. */
export type Outcomes = ReadonlyMap<string, { stratum: string; correct: boolean }>;

export interface PairedDifference {
  value: number;
  low: number;
  high: number;
  /** Problems that both were judged on; right only in the first, right only in the second. */
  n: number;
  gained: number;
  lost: number;
}

export async function testOutcomes(store: Store, { scores }: IterationRecord): Promise<Outcomes> {
  const outcomes = new Map<string, { stratum: string; correct: boolean }>();
  for (const { judged, split } of scores) {
    if (split !== 'test') continue;
    for (const { rationale, verdict } of await readRows(
      store,
      asSlice({ shards: [judged], rows: judged.rows ?? 0 }),
      Judged,
    ))
      if (verdict.verdict !== 'unjudged')
        outcomes.set(rationale.problem.id, {
          stratum: rationale.problem.stratum,
          correct: verdict.verdict === 'correct',
        });
  }
  return outcomes;
}

/** Of each run's best iteration, by run. Throws as `readRows`. */
export async function outcomesOf(store: Store, documents: RunDocument[]): Promise<Map<string, Outcomes>> {
  const outcomes = new Map<string, Outcomes>();
  for (const document of documents) {
    const best = bestOf(document);
    if (best) outcomes.set(document.runId, await testOutcomes(store, best));
  }
  return outcomes;
}

/** a − b; null where no problem was judged in both. */
export function pairedDifference(a: Outcomes, b: Outcomes): PairedDifference | null {
  const strata = new Map<string, { both: number; gained: number; lost: number; none: number }>();
  for (const [id, { stratum, correct }] of a) {
    const other = b.get(id);
    if (!other) continue;
    const count = strata.get(stratum) ?? { both: 0, gained: 0, lost: 0, none: 0 };
    count[correct ? (other.correct ? 'both' : 'gained') : other.correct ? 'lost' : 'none']++;
    strata.set(stratum, count);
  }
  if (strata.size === 0) return null;
  const whole = { value: 0, below: 0, above: 0, n: 0, gained: 0, lost: 0 };
  for (const [, { both, gained, lost, none }] of [...strata].sort(([x], [y]) => compareStrata(x, y))) {
    const n = both + gained + lost + none;
    const [p, q] = [(both + gained) / n, (both + lost) / n];
    const [[pLow, pHigh], [qLow, qHigh]] = [wilson(both + gained, n), wilson(both + lost, n)];
    const margins = (both + gained) * (lost + none) * (both + lost) * (gained + none);
    const phi = margins === 0 ? 0 : (both * none - gained * lost) / Math.sqrt(margins);
    const squared = (x: number, y: number) => Math.max(0, x * x - 2 * phi * x * y + y * y);
    whole.value += p - q;
    whole.below += squared(p - pLow, qHigh - q);
    whole.above += squared(pHigh - p, q - qLow);
    whole.n += n;
    whole.gained += gained;
    whole.lost += lost;
  }
  const value = whole.value / strata.size;
  const { n, gained, lost } = whole;
  return {
    ...{ value, low: value - Math.sqrt(whole.below) / strata.size, high: value + Math.sqrt(whole.above) / strata.size },
    ...{ n, gained, lost },
  };
}
