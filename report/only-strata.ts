/**
 * A studied run as if its test split had no other strata than these: what is reported and compared is theirs, while the best
 * iteration stays the one that the run chose, on dev with all of its strata. Pure.
 *
 *   onlyStrata({ recipe, seed, document, outcomes }, ['2', '3'])
 */
import { accuracyOf } from '../schemas/accuracy.ts';
import type { Tally } from '../schemas/port-values.ts';
import type { Accuracy } from '../schemas/run.ts';
import type { Studied } from './study.ts';

function accuracyIn({ byStratum }: Accuracy, strata: string[]): Accuracy {
  const tallies: Record<string, Tally> = {};
  for (const [stratum, { accuracy, n }] of Object.entries(byStratum))
    if (strata.includes(stratum)) tallies[stratum] = { correct: Math.round(accuracy * n), judged: n, unjudged: 0 };
  return accuracyOf(tallies);
}

export function onlyStrata(run: Studied, strata: string[]): Studied {
  const iterations = run.document.iterations.map((record) => ({
    ...record,
    accuracy: accuracyIn(record.accuracy, strata),
  }));
  const outcomes = [...run.outcomes].filter(([, { stratum }]) => strata.includes(stratum));
  return { ...run, document: { ...run.document, iterations }, outcomes: new Map(outcomes) };
}
