/**
 * A method against another over several seeds: the difference of their accuracies with an interval that knows both sources of chance,
 * which problems were asked and which seeds were run, and the verdict that was agreed on beforehand.
 *
 *   pooledDifference([{ seed: 1, ahead, behind }, { seed: 2, … }])   // { value: 0.08, low: 0.05, high: 0.11, bySeed: [0.07, 0.09], n: 1002 }
 *
 * Bootstrap in two steps: seeds are drawn with replacement, then within each drawn seed the problems of each stratum; 95% by
 * percentiles (Davison & Hinkley 1997, §3.8). As everywhere the strata count alike. Problems that one of the two left
 * unjudged are left out. Pure: the draws are those of a fixed generator.
 */
import { mulberry32 } from '../schemas/mulberry32.ts';
import { compareStrata } from '../schemas/accuracy.ts';
import type { Outcomes } from './paired.ts';

export interface SeedPair {
  seed: number;
  ahead: Outcomes;
  behind: Outcomes;
}

export interface Pooled {
  value: number;
  low: number;
  high: number;
  /** The difference in each seed, in the order given. */
  bySeed: number[];
  /** Judged pairs in all. */
  n: number;
}

const RESAMPLES = 4000;

/** Of one stratum, problem by problem. */
export type Differences = ArrayLike<number>;

/** Each stratum's differences: 1 right only in `ahead`, −1 only in `behind`, 0 alike. */
function differences({ ahead, behind }: SeedPair): Differences[] {
  const strata = new Map<string, number[]>();
  for (const [id, { stratum, correct }] of ahead) {
    const other = behind.get(id);
    if (other) strata.set(stratum, [...(strata.get(stratum) ?? []), Number(correct) - Number(other.correct)]);
  }
  return [...strata].sort(([x], [y]) => compareStrata(x, y)).map(([, values]) => Int8Array.from(values));
}

export const mean = (values: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
};

/** null where in some seed no problem was judged in both. */
export const pooledDifference = (pairs: SeedPair[]): Pooled | null => pooled(pairs.map(differences));

/** The same of differences that are there already, by seed and stratum; null where in some seed there are none. */
export function pooled(seeds: Differences[][]): Pooled | null {
  if (seeds.length === 0 || seeds.some((strata) => strata.length === 0)) return null;
  const bySeed = seeds.map((strata) => mean(strata.map(mean)));
  const next = mulberry32(seeds.length);
  const drawn = (values: Differences): number => {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += values[Math.floor(next() * values.length)]!;
    return sum / values.length;
  };
  const values = new Float64Array(RESAMPLES);
  for (let r = 0; r < RESAMPLES; r++) {
    let sum = 0;
    for (let s = 0; s < seeds.length; s++) sum += mean(seeds[Math.floor(next() * seeds.length)]!.map(drawn));
    values[r] = sum / seeds.length;
  }
  values.sort();
  const at = (share: number) => values[Math.min(RESAMPLES - 1, Math.floor(share * RESAMPLES))]!;
  const n = seeds.flat().reduce((total, { length }) => total + length, 0);
  return { value: mean(bySeed), low: at(0.025), high: at(0.975), bySeed, n };
}

export type Verdict = 'supported' | 'refuted' | 'inconclusive';

/**
 * Supported: ahead in every seed, and the interval excludes zero and reaches the smallest effect that matters. Refuted: the interval
 * excludes that effect. Else inconclusive. `smallest` as a share: 0.03 is three points.
 */
export function verdictOn({ low, high, bySeed }: Pooled, smallest: number): Verdict {
  if (high < smallest) return 'refuted';
  return low > 0 && bySeed.every((one) => one > 0) ? 'supported' : 'inconclusive';
}
