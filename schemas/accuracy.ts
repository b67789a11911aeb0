/**
 * Accuracy with its interval, from counts by stratum. Pure: workflows and reports both use it.
 *
 *   accuracyOf({ '2': { correct: 97, judged: 100, unjudged: 0 }, '3': { correct: 60, judged: 100, unjudged: 2 } })
 *   // { overall: 0.785, ci95: [0.729, 0.831], n: 200, unjudged: 2, byStratum: { '2': { accuracy: 0.97, n: 100 }, … } }
 *
 * A stratum's interval is Wilson's (1927). The interval of the unweighted mean joins those by the method of variance
 * estimates recovery (Zou & Donner 2008, doi 10.1002/sim.3095): each side adds up the squared distances between the strata's
 * estimates and their own bounds. A plain normal interval would have no width at 100% and, centred as Agresti and Coull
 * do, would leave the estimate itself outside as soon as several strata are perfect.
 */
import type { Accuracy } from './run.ts';
import type { Tally } from './port-values.ts';

/** 97.5% point of the standard normal distribution. */
const Z = 1.959963984540054;

/** Wilson's interval of a share, 95% unless `z` says otherwise; [0, 1] where nothing was counted. Always holds `correct / judged`. */
export function wilson(correct: number, judged: number, z = Z): [low: number, high: number] {
  if (judged === 0) return [0, 1];
  const p = correct / judged;
  const z2 = z * z;
  const centre = (p + z2 / (2 * judged)) / (1 + z2 / judged);
  const half = (z / (1 + z2 / judged)) * Math.sqrt((p * (1 - p)) / judged + z2 / (4 * judged * judged));
  // min and max against p: rounding must not put the estimate outside its own interval
  return [Math.max(0, Math.min(centre - half, p)), Math.min(1, Math.max(centre + half, p))];
}

/** The order in which strata are shown and added up: numbers by size ("2" before "10"), then words by code unit. */
export function compareStrata(a: string, b: string): number {
  const [x, y] = [Number(a), Number(b)];
  const [isX, isY] = [a.trim() !== '' && Number.isFinite(x), b.trim() !== '' && Number.isFinite(y)];
  if (isX && isY && x !== y) return x - y;
  if (isX !== isY) return isX ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * Accuracy by stratum and over all. The same counts give the same bits, whatever order the keys stand in. A stratum in which
 * nothing was judged stands in neither `byStratum` nor the mean: an outage is not a zero.
 */
export function accuracyOf(tallies: Record<string, Tally>): Accuracy {
  const byStratum: Accuracy['byStratum'] = {};
  let [n, unjudged, sum, below, above] = [0, 0, 0, 0, 0];
  const strata = Object.entries(tallies).sort(([a], [b]) => compareStrata(a, b));
  let counted = 0;
  for (const [stratum, tally] of strata) {
    unjudged += tally.unjudged;
    if (tally.judged === 0) continue;
    const accuracy = tally.correct / tally.judged;
    const [low, high] = wilson(tally.correct, tally.judged);
    byStratum[stratum] = { accuracy, n: tally.judged };
    n += tally.judged;
    sum += accuracy;
    below += (accuracy - low) ** 2;
    above += (high - accuracy) ** 2;
    counted += 1;
  }
  if (counted === 0) return { overall: 0, ci95: [0, 1], n: 0, unjudged, byStratum };
  const overall = sum / counted;
  const ci95: [number, number] = [
    Math.max(0, overall - Math.sqrt(below) / counted),
    Math.min(1, overall + Math.sqrt(above) / counted),
  ];
  return { overall, ci95, n, unjudged, byStratum };
}
