/**
 * A method and what it is held against, over several seeds: one line for each, with the pooled difference and its verdict. Each run
 * counts at its best iteration (chosen on dev, reported on test). Pure.
 */
import type { IterationRecord, RunDocument } from '../schemas/run.ts';
import { soundnessAlarms } from '../schemas/soundness.ts';
import type { Outcomes } from './paired.ts';
import { pooledDifference, verdictOn } from './pooled.ts';
import type { Pooled, Verdict } from './pooled.ts';
import { accuracyWithin, commonCost, compact, spentBy } from './compute.ts';
import type { SpentBy } from './compute.ts';
import { bestOf, percent } from './statistics.ts';

export interface Studied {
  recipe: string;
  seed: number;
  document: RunDocument;
  outcomes: Outcomes;
}

export interface StudyLine {
  recipe: string;
  seeds: number[];
  /** Test accuracy (0..1), mean of the seeds. */
  test: number;
  testBySeed: number[];
  /** Rationales of its own that it was trained on, by seed; seeds and gold answers do not count. */
  kept: number[];
  /** What it took to the best iteration, mean of the seeds. */
  compute: Omit<SpentBy, 'n'>;
  /** Test accuracy (0..1) within the cost that all of a seed's runs have reached, mean of the seeds; null where there is none. */
  atEqualCost: number | null;
  /** Share (0..1) of accepted rationales with every step right, mean; null where nobody checks steps. */
  sound: number | null;
  /** The method less this; null for the method itself, and where no seed has both. */
  difference: Pooled | null;
  /** This less the method's control that was trained on seeds alone, where that is in the study; null for that itself. */
  overSeeds: Pooled | null;
  verdict: Verdict | null;
  /** What keeps the line from saying what it seems to. */
  note: string | null;
}

/** With fewer rows of its own than this a control of the filter shows nothing. */
const FEW_ROWS = 50;

const mean = (values: number[]): number => values.reduce((sum, one) => sum + one, 0) / values.length;

const acceptedIn = ({ ledger }: IterationRecord): number => ledger.acceptedFree + ledger.acceptedHinted;
const keptIn = (document: RunDocument): number => {
  const best = bestOf(document);
  return best ? acceptedIn(best) : 0;
};

function computeOf(runs: Studied[]): StudyLine['compute'] {
  const spent = runs.flatMap(
    ({ document }) => spentBy(document).find(({ n }) => n === (bestOf(document)?.n ?? 0)) ?? [],
  );
  const average = (of: (one: SpentBy) => number) => (spent.length === 0 ? 0 : mean(spent.map(of)));
  return {
    sampled: average(({ sampled }) => sampled),
    trained: average(({ trained }) => trained),
    steps: average(({ steps }) => steps),
  };
}

/** The base, evaluated again, must say what it said. */
const repeats = ({ iterations }: RunDocument): boolean =>
  iterations.every(({ scores }) => JSON.stringify(scores) === JSON.stringify(iterations[0]?.scores));

/** Runs in which accuracy rose while soundness fell, or most of what was kept is unsound. */
function alarmOn(runs: Studied[]): string | null {
  const alarms = runs.flatMap(({ seed, document }) => {
    const records = document.iterations.map((record) => ({ ...record, dev: record.dev.overall }));
    return soundnessAlarms(records).map(({ n, reason }) => `seed ${seed}, iteration ${n}: ${reason}`);
  });
  return alarms.length === 0 ? null : `soundness alarm: ${alarms.join('; ')}`;
}

function noteOn(recipe: string, runs: Studied[]): string | null {
  if (recipe.endsWith('-untrained'))
    return runs.every(({ document }) => repeats(document))
      ? 'every evaluation repeats iteration 0 to the bit'
      : 'evaluations of one model differ: no figure of this study can be trusted';
  // Of all iterations: where the best is the base, that trained on none.
  const most = runs.map(({ document }) => Math.max(...document.iterations.map(acceptedIn)));
  if (recipe.endsWith('-shuffled-gold') && most.some((rows) => rows < FEW_ROWS))
    return `vacuous: trained on at most ${most.join(', ')} rows of its own, fewer than ${FEW_ROWS} say nothing`;
  return alarmOn(runs);
}

/** The first recipe is the method; `smallest` is the smallest effect that matters, as a share. */
export function studyLines(runs: Studied[], smallest: number): StudyLine[] {
  const recipes = [...new Set(runs.map(({ recipe }) => recipe))];
  const of = (recipe: string) => runs.filter((one) => one.recipe === recipe);
  const method = of(recipes[0] ?? '');
  const lessOf = (ahead: Studied[], behind: Studied[]): Pooled | null =>
    pooledDifference(
      ahead.flatMap(({ seed, outcomes }) => {
        const other = behind.find((one) => one.seed === seed)?.outcomes;
        return other ? [{ seed, ahead: outcomes, behind: other }] : [];
      }),
    );
  const seedsOnly = `${recipes[0]}-seeds-only`;
  const costs = new Map(
    runs.map(({ seed }) => [seed, commonCost(runs.filter((one) => one.seed === seed).map(({ document }) => document))]),
  );
  return recipes.map((recipe) => {
    const own = of(recipe);
    const testBySeed = own.map(({ document }) => bestOf(document)?.accuracy.overall ?? 0);
    const kept = own.map(({ document }) => keptIn(document));
    const sound = own.flatMap(({ document }) => bestOf(document)?.soundShare ?? []);
    const difference = recipe === recipes[0] ? null : lessOf(method, own);
    const within = own.flatMap(({ seed, document }) => accuracyWithin(document, costs.get(seed) ?? 0) ?? []);
    return {
      recipe,
      seeds: own.map(({ seed }) => seed),
      test: mean(testBySeed),
      testBySeed,
      kept,
      compute: computeOf(own),
      atEqualCost: within.length === 0 ? null : mean(within),
      sound: sound.length === 0 ? null : mean(sound),
      difference,
      overSeeds: recipe === seedsOnly ? null : lessOf(own, of(seedsOnly)),
      verdict: difference && verdictOn(difference, smallest),
      note: noteOn(recipe, own),
    };
  });
}

export const points = (share: number): string => `${share < 0 ? '−' : '+'}${(Math.abs(share) * 100).toFixed(1)}`;

export const shownDifference = (of: Pooled | null): string =>
  of ? `${points(of.value)} (${points(of.low)} to ${points(of.high)})` : '–';

/** The line's cells as they are shown, in the order of `studyHead`. */
export const studyCells = ({ difference, compute, ...line }: StudyLine): string[] => [
  line.recipe,
  percent(line.test),
  line.testBySeed.map(percent).join(', '),
  line.kept.join(', '),
  percent(line.sound),
  shownDifference(difference),
  difference ? difference.bySeed.map(points).join(', ') : '–',
  line.verdict ?? '–',
  shownDifference(line.overSeeds),
  ...[compute.sampled, compute.trained, compute.steps].map(compact),
  percent(line.atEqualCost),
];
export const studyHead = (method: string): string[] => [
  ...['method', 'test %', 'by seed', 'own rows', 'sound %'],
  ...[`${method} less it, 95%`, 'by seed', 'verdict', 'it less seeds-only, 95%'],
  ...['tokens sampled', 'trained', 'steps', 'test % at equal cost'],
];
