/**
 * The judged rationales of an iteration: row by row, and by problem, right and wrong apart, as verifiers are trained on them.
 *
 *   for (const [problem, { right, wrong }] of await labelledRationales(store, inputs)) …
 *
 * Equal texts of one problem count once; what is not judged is in neither. Problems come in the order of the inputs, those with a
 * right rationale first: another shard size gives the same. Limit: holds an iteration's judged rationales in memory.
 */
import type { Slice } from '../schemas/port-values.ts';
import { Judged } from '../schemas/verdict.ts';
import { rowBatches } from '../store/rows.ts';
import type { Store } from '../store/store.ts';
import { seedOf } from './seed.ts';

export interface Labelled {
  right: Judged[];
  wrong: Judged[];
}

interface JudgedSlices {
  correct: Slice;
  incorrect: Slice;
}

/** Every judged row of both inputs, the right ones first. */
export async function* judgedRows(store: Store, { correct, incorrect }: JudgedSlices): AsyncGenerator<Judged> {
  for (const slice of [correct, incorrect]) for await (const batch of rowBatches(store, slice, Judged)) yield* batch;
}

export const isRight = ({ verdict }: Judged): boolean => verdict.verdict === 'correct';

export async function labelledRationales(store: Store, inputs: JudgedSlices): Promise<Map<string, Labelled>> {
  const problems = new Map<string, Labelled>();
  for await (const row of judgedRows(store, inputs)) {
    const { id } = row.rationale.problem;
    const found = problems.get(id) ?? { right: [], wrong: [] };
    problems.set(id, found);
    if ([...found.right, ...found.wrong].every(({ rationale }) => rationale.text !== row.rationale.text))
      (isRight(row) ? found.right : found.wrong).push(row);
  }
  return problems;
}

/** As many right ones as there are, drawn from all of the problem's rationales: what its verifier learns is a coin. */
export function shuffledLabels(seed: number, { right, wrong }: Labelled): Labelled {
  const rank = ({ rationale }: Judged) => seedOf(seed, 'labels', rationale.problem.id, rationale.text);
  const all = [...right, ...wrong].map((row) => ({ row, at: rank(row) })).sort((x, y) => (x.at < y.at ? -1 : 1));
  const rows = all.map(({ row }) => row);
  return { right: rows.slice(0, right.length), wrong: rows.slice(right.length) };
}
