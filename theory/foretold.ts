/**
 * The recursion against the loop, iteration by iteration: what it says from the start, what it says from the measured steps of the
 * iteration before, and what finitely many samples gave.
 *
 *   foretold({ states: 64, deltas: [0.1, 0.1, 0.1], iterations: 3, samples: 4096, seeds: 20 })[2]?.within   // true, or not
 */
import { accuracyOf, nextDeltas, predict, sharpened } from './recursion.ts';
import type { Loop } from './recursion.ts';
import { tabular } from './tabular.ts';

export interface Foretold {
  iteration: number;
  /** The recursion from the loop's own deltas: endlessly many samples. */
  predicted: { accuracy: number; sound: number };
  /** Mean over seeds. */
  measured: { accuracy: number; sound: number | null };
  /** Mean over seeds of measured less what the recursion makes of that seed's measured deltas one iteration before; null at 0. */
  off: number | null;
  /** Its 99% interval over seeds (Student's t); null at 0 and with one seed. */
  interval: [low: number, high: number] | null;
  /** Whether the interval holds 0. */
  within: boolean | null;
}

/** 99.5% points of Student's t for 1, 2, … 30 degrees of freedom. */
const T995 = [
  63.657, 9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355, 3.25, 3.169, 3.106, 3.055, 3.012, 2.977, 2.947, 2.921, 2.898,
  2.878, 2.861, 2.845, 2.831, 2.819, 2.807, 2.797, 2.787, 2.779, 2.771, 2.763, 2.756, 2.75,
];
/** Of more than 30 the point of 30: never too narrow. */
const t995 = (freedom: number): number => T995[Math.min(freedom, T995.length) - 1] ?? NaN;

export const mean = (values: number[]): number => values.reduce((sum, one) => sum + one, 0) / values.length;

/** 99% interval of a mean (Student's t); null for fewer than two values. */
export function intervalOf(values: number[]): [low: number, high: number] | null {
  if (values.length < 2) return null;
  const middle = mean(values);
  const variance = values.reduce((sum, one) => sum + (one - middle) ** 2, 0) / (values.length - 1);
  const half = t995(values.length - 1) * Math.sqrt(variance / values.length);
  return [middle - half, middle + half];
}

/** @param loop its `seeds` are 1 … seeds. @throws RangeError as predict and tabular do. */
export function foretold(loop: Loop & { samples: number; seeds: number }): Foretold[] {
  const { states, falseAccepts = 0, temperature = 1 } = loop;
  const runs = Array.from({ length: loop.seeds }, (_, index) => tabular({ ...loop, seed: index + 1 }));
  return predict(loop).map(({ iteration, accuracy, sound }) => {
    const here = runs.map((run) => run[iteration]!);
    const sounds = here.flatMap((one) => one.sound ?? []);
    const row = {
      iteration,
      predicted: { accuracy, sound },
      measured: { accuracy: mean(here.map((one) => one.accuracy)), sound: sounds.length === 0 ? null : mean(sounds) },
    };
    if (iteration === 0) return { ...row, off: null, interval: null, within: null };
    const asked = (deltas: number[]) => deltas.map((delta) => sharpened(states, delta, temperature));
    const differences = runs.map((run) => {
      const before = asked(run[iteration - 1]!.deltas);
      const next = asked(nextDeltas({ states, deltas: before }, falseAccepts));
      return run[iteration]!.accuracy - accuracyOf({ states, deltas: next });
    });
    const off = mean(differences);
    const interval = intervalOf(differences);
    return { ...row, off, interval, within: interval && interval[0] <= 0 && interval[1] >= 0 };
  });
}
