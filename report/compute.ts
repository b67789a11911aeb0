/**
 * What a run has cost by each of its iterations: tokens sampled to learn from, tokens trained on, optimizer steps. Pure.
 *
 *   spentBy(document)      // [{ n: 0, sampled: 0, trained: 0, steps: 0 }, { n: 1, sampled: 812_000, … }, …]
 *
 * The base is every method's own and costs nothing here, nor do evaluations, which decide nothing but the end. A shard that the
 * memo answered counts as if the run had been alone. Limit: a training that was killed and taken up counts what was done since.
 */
import type { RunDocument } from '../schemas/run.ts';
import { TRAINING } from '../schemas/stage.ts';
import type { StageKind } from '../schemas/stage.ts';

/** Sums from the first iteration to this one. */
export interface SpentBy {
  n: number;
  sampled: number;
  trained: number;
  steps: number;
}

const SAMPLES: readonly StageKind[] = ['generate', 'rationalize'];

/** A trained token goes forward and back, which takes about three times what a sampled one takes (2 and 6 operations a weight). */
const TRAINED_TOKEN = 3;

export function spentBy({ iterations, resolved }: RunDocument): SpentBy[] {
  const sum = { sampled: 0, trained: 0, steps: 0 };
  return iterations.map(({ n, tokens, steps }) => {
    if (n > 0) {
      for (const [stage, count] of Object.entries(tokens)) {
        const kind = resolved?.recipe.stages[stage]?.use;
        if (kind === undefined) continue;
        if (SAMPLES.includes(kind)) sum.sampled += count;
        if (TRAINING.has(kind)) sum.trained += count;
      }
      sum.steps += steps;
    }
    return { n, ...sum };
  });
}

/** In tokens as sampled. */
export const costOf = ({ sampled, trained }: SpentBy): number => sampled + TRAINED_TOKEN * trained;

/** The cost that every run has reached; of those that cost nothing nobody can ask it. */
export const commonCost = (runs: RunDocument[]): number =>
  Math.min(
    ...runs.map((run) => costOf(spentBy(run).at(-1) ?? { n: 0, sampled: 0, trained: 0, steps: 0 })).filter(Boolean),
  );

/** Test accuracy (0..1) of the iteration best on dev among those that cost at most so much. */
export function accuracyWithin(run: RunDocument, cost: number): number | null {
  const affordable = new Set(spentBy(run).flatMap((spent) => (costOf(spent) <= cost ? [spent.n] : [])));
  const left = run.iterations.filter(({ n }) => affordable.has(n));
  const best = Math.max(...left.map(({ dev }) => dev.overall));
  return left.find(({ dev }) => dev.overall === best)?.accuracy.overall ?? null;
}

/** 812000 → 812k; 1234567 → 1.2M. */
export function compact(count: number): string {
  if (count < 10_000) return String(Math.round(count));
  return count < 1e6 ? `${Math.round(count / 1000)}k` : `${(count / 1e6).toFixed(count < 1e7 ? 1 : 0)}M`;
}
