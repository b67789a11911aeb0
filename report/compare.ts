/**
 * Runs side by side: each at its best iteration (chosen on dev, reported on test), with 95% intervals, and the difference to
 * the first run.
 *
 * A difference is paired where the runs' judged rows are given (report/paired.ts). Without them its interval joins the two runs'
 * own by the method of variance estimates recovery (Zou & Donner 2008, doi 10.1002/sim.3095), as if on different problems:
 * too wide rather than too narrow.
 */
import { compareStrata } from '../schemas/accuracy.ts';
import type { IterationRecord, RunDocument } from '../schemas/run.ts';
import { bestOf, estimate, overall, secondsOf, shareOf, tokensOf } from './statistics.ts';
import type { Estimate } from './statistics.ts';
import { pairedDifference } from './paired.ts';
import type { Outcomes } from './paired.ts';

export interface Compared {
  runId: string;
  status: RunDocument['status'];
  recipe: string;
  task: string;
  seed: number;
  /** How the best iteration was asked: `stages.<score>.with.prompt`. */
  form: string;
  /** Parts (0..1) of the problems drawn that the best iteration trained on; `gold` = on their answers alone. */
  used: { free: number | null; hinted: number | null; gold: number | null };
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

const signed = (share: number): string => `${share < 0 ? '−' : '+'}${(Math.abs(share) * 100).toFixed(1)}`;
/** "+3.2 (−0.4 to +6.8)", in points. */
export const differenceText = ({ value, low, high }: NonNullable<Compared['difference']>): string =>
  `${signed(value)} (${signed(low)} to ${signed(high)})`;

/** Two runs whose test splits are the same rows. */
const sameTest = (a: RunDocument, b: RunDocument): boolean =>
  a.resolved !== null &&
  b.resolved !== null &&
  JSON.stringify(a.resolved.test.shards.map((ref) => ref.digest)) ===
    JSON.stringify(b.resolved.test.shards.map((ref) => ref.digest));

/** The form in which the best iteration was evaluated; absent in a recipe, it is `shots`, and greedy. */
export function formOf(document: RunDocument): string {
  const recipe = document.resolved?.recipe;
  const scored = recipe?.stop.plateau.split('.')[0] ?? '';
  const optionOf = (name: string) =>
    bestOf(document)?.changed[`stages.${scored}.with.${name}`] ?? recipe?.stages[scored]?.with?.[name];
  const [form, temperature] = [optionOf('prompt'), optionOf('temperature')];
  const sampled = typeof temperature === 'number' && temperature > 0 ? `, T = ${temperature}` : '';
  return (typeof form === 'string' ? form : 'shots') + sampled;
}

/** Why runs can't be held against the first, in a sentence; null where they can. Pure. */
export function unlike([first, ...others]: RunDocument[]): string | null {
  for (const other of others) {
    const [form, found] = [first as RunDocument, other].map(formOf);
    if (form !== found) return `run ${first?.runId} was evaluated in the form '${form}', ${other.runId} in '${found}'`;
    if (!sameTest(first as RunDocument, other))
      return `runs ${first?.runId} and ${other.runId} were tested on other problems`;
  }
  return null;
}

function usedIn(document: RunDocument, record: IterationRecord | undefined): Compared['used'] {
  if (!record || record.steps === 0) return { free: null, hinted: null, gold: null };
  const stages = Object.values(document.resolved?.recipe.stages ?? {});
  const gold = record.n > 0 && stages.some(({ use }) => use === 'answers') ? 1 : null;
  const { acceptedFree, acceptedHinted } = record.ledger;
  return { free: shareOf(acceptedFree, record), hinted: shareOf(acceptedHinted, record), gold };
}

/** In the order given; `outcomes` by run. Pure. */
export function compareRuns(documents: RunDocument[], outcomes: ReadonlyMap<string, Outcomes> = new Map()): Compared[] {
  const [first] = documents;
  const reference = first && bestOf(first);
  const against = reference && overall(reference.accuracy);
  return documents.map((document) => {
    const record = bestOf(document);
    const accuracy = record && overall(record.accuracy);
    const strata = record ? Object.keys(record.accuracy.byStratum).sort(compareStrata) : [];
    const comparable = first !== undefined && document !== first && sameTest(first, document);
    const [own, its] = [outcomes.get(document.runId), first && outcomes.get(first.runId)];
    const paired = own && its ? pairedDifference(own, its) : null;
    return {
      runId: document.runId,
      status: document.status,
      recipe: document.recipe,
      task: document.task,
      seed: document.seed,
      form: formOf(document),
      used: usedIn(document, record),
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
      difference: comparable && accuracy && against ? (paired ?? differenceOf(accuracy, against)) : null,
      note: document === first || comparable || !accuracy ? null : 'other test problems than the first run',
      seconds: document.iterations.reduce((sum, one) => sum + secondsOf(one), 0),
      tokens: document.iterations.reduce((sum, one) => sum + tokensOf(one), 0),
    };
  });
}
