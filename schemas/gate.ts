/**
 * Gate: may a new model take the current one's place? Both answer the same held-out problems; the new one is promoted only if
 * the lower end of the paired interval of (new − current) clears a declared margin. Pure.
 *
 *   judgeGate({ '2': { both: 90, gained: 8, lost: 1, neither: 1 } }, { look: 1, margin: 0, alpha: 0.05, atMostUnjudged: 0.2 }, 0)
 *   // { promote: true, difference: 0.07, interval: [0.006, 0.146], … }
 *
 * The interval is Newcombe's for paired shares (1998, Statistics in Medicine 17, 2635–2650, method 10 without its continuity
 * correction of φ) over all pairs together. Not over the unweighted mean of the strata: there eight problems of one digit
 * would be as wide as five hundred of five, and hold up every promotion. The price: a stratum weighs by its pairs, so what a
 * small one loses can be outweighed.
 *
 * Looking every night would promote by luck in the end. Look k gets alpha·6/(π²k²), and those add up to alpha over any number
 * of looks (Bonferroni; Basel's sum). Limits: looks at one fixed set are dependent, so this is on the careful side, and
 * after many looks only a large gain is promoted: a small lasting one needs more gate problems.
 */
import { z } from 'zod';
import { wilson } from './accuracy.ts';

/** Problems by who solved them. Only problems judged for both models are counted. */
export const PairCounts = z.strictObject({
  both: z.int().nonnegative(),
  /** The new model alone. */
  gained: z.int().nonnegative(),
  /** The current model alone. */
  lost: z.int().nonnegative(),
  neither: z.int().nonnegative(),
});
export type PairCounts = z.infer<typeof PairCounts>;

export const GateRule = z.strictObject({
  /** The lower end must lie above it: an accuracy difference, 0..1. */
  margin: z.number().min(0).lt(1).default(0),
  /** Level of the two-sided interval over all looks together; 0.05 = 95%. */
  alpha: z.number().gt(0).lt(1).default(0.05),
  /** Above this share of pairs without two judgements there is no promotion: an outage decides nothing. */
  atMostUnjudged: z.number().min(0).max(1).default(0.2),
});
export type GateRule = z.infer<typeof GateRule>;

export const GateResult = z.strictObject({
  promote: z.boolean(),
  reason: z.string(),
  look: z.int().min(1),
  /** Level of this look's interval. */
  level: z.number(),
  margin: z.number(),
  difference: z.number(),
  interval: z.tuple([z.number(), z.number()]),
  pairs: z.int().nonnegative(),
  unjudged: z.int().nonnegative(),
});
export type GateResult = z.infer<typeof GateResult>;

/** The share of alpha that look k (from 1) may spend. */
export const alphaOfLook = (alpha: number, look: number): number => (6 * alpha) / (Math.PI * look) ** 2;

/** Point below which a standard normal lies with probability p; relative error under 2e-9 (P. J. Acklam's approximation). */
export function normalQuantile(p: number): number {
  if (!(p > 0 && p < 1)) throw new RangeError(`normalQuantile: found ${p}; expected a number between 0 and 1`);
  const poly = (x: number, ...coefficients: number[]) => coefficients.reduce((sum, one) => sum * x + one, 0);
  const tail = 0.02425;
  if (p > 1 - tail) return -normalQuantile(1 - p);
  if (p >= tail) {
    const q = p - 0.5;
    const r = q * q;
    return (
      (poly(
        r,
        -39.69683028665376,
        220.9460984245205,
        -275.9285104469687,
        138.357751867269,
        -30.66479806614716,
        2.506628277459239,
      ) *
        q) /
      poly(r, -54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1)
    );
  }
  const q = Math.sqrt(-2 * Math.log(p));
  return (
    poly(
      q,
      -0.007784894002430293,
      -0.3223964580411365,
      -2.400758277161838,
      -2.549732539343734,
      4.374664141464968,
      2.938163982698783,
    ) / poly(q, 0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1)
  );
}

/** Difference of two paired shares (new − current) with its interval, of at least one pair. */
export function pairedInterval(counts: PairCounts, level: number): { difference: number; low: number; high: number } {
  const { both, gained, lost, neither } = counts;
  const n = both + gained + lost + neither;
  const z = normalQuantile(1 - level / 2);
  const [fresh, old] = [(both + gained) / n, (both + lost) / n];
  const [freshLow, freshHigh] = wilson(both + gained, n, z);
  const [oldLow, oldHigh] = wilson(both + lost, n, z);
  const margins = (both + gained) * (lost + neither) * (both + lost) * (gained + neither);
  const phi = margins === 0 ? 0 : (both * neither - gained * lost) / Math.sqrt(margins);
  const join = (x: number, y: number) => Math.sqrt(Math.max(0, x * x - 2 * phi * x * y + y * y));
  const difference = fresh - old;
  return {
    difference,
    low: Math.max(-1, difference - join(fresh - freshLow, oldHigh - old)),
    high: Math.min(1, difference + join(freshHigh - fresh, old - oldLow)),
  };
}

/** The gate's answer. The same counts give the same bits, whatever order the strata stand in. */
export function judgeGate(
  byStratum: Record<string, PairCounts>,
  rule: GateRule & { look: number },
  unjudged: number,
): GateResult {
  const level = alphaOfLook(rule.alpha, rule.look);
  const sum = (pick: keyof PairCounts) => Object.values(byStratum).reduce((total, one) => total + one[pick], 0);
  const counts = { both: sum('both'), gained: sum('gained'), lost: sum('lost'), neither: sum('neither') };
  const pairs = counts.both + counts.gained + counts.lost + counts.neither;
  const { difference, low, high } = pairs === 0 ? { difference: 0, low: -1, high: 1 } : pairedInterval(counts, level);
  const interval: [number, number] = [low, high];
  const share = pairs + unjudged === 0 ? 1 : unjudged / (pairs + unjudged);
  const promote = share <= rule.atMostUnjudged && interval[0] > rule.margin;
  const told = `new − current = ${difference.toFixed(4)}, interval ${interval[0].toFixed(4)} to ${interval[1].toFixed(4)} at look ${rule.look}, margin ${rule.margin}`;
  const reason =
    share > rule.atMostUnjudged
      ? `${unjudged} of ${pairs + unjudged} pairs are not judged, more than ${rule.atMostUnjudged}: nothing is decided`
      : `${told}: the lower end ${promote ? 'clears' : 'does not clear'} the margin`;
  return { promote, reason, look: rule.look, level, margin: rule.margin, difference, interval, pairs, unjudged };
}
