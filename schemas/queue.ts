/**
 * QueueRow: when a problem had its last turn, and how it went. Those that had none have no row; `byTurn` puts problems in line.
 *
 *   [...problems].sort(byTurn(queue, ({ id }) => tieOf(id)))      // the longest ago first, of those the hardest
 */
import { z } from 'zod';

export const QueueRow = z.strictObject({
  /** Its id. */
  problem: z.string(),
  /** Iteration. */
  last: z.int().min(1),
  /** Share (0..1) of its judged samples that were right, then. */
  won: z.number().min(0).max(1),
});
export type QueueRow = z.infer<typeof QueueRow>;

/** What AdaSTaR's heap compares: the last turn, then the share won, then a number that only the seed decides. Pure. */
export function byTurn(
  queue: ReadonlyMap<string, QueueRow>,
  tieOf: (problem: { id: string }) => string,
): (x: { id: string }, y: { id: string }) => number {
  const keyOf = (problem: { id: string }) => queue.get(problem.id) ?? { last: 0, won: 0 };
  return (x, y) => {
    const [a, b] = [keyOf(x), keyOf(y)];
    return a.last - b.last || a.won - b.won || (tieOf(x) < tieOf(y) ? -1 : 1);
  };
}

/** A problem that was drawn, in its turn: its judged samples, and how many of them are right. */
export interface Turn {
  problem: string;
  judged: number;
  right: number;
}

/**
 * The queue after an iteration. With α the share of drawn problems that were solved, the first m·α² of the m drawn have had
 * their turn; the others keep their place, so that a weak model meets again what it was first in line for (AdaSTaR's
 * curriculum, arXiv:2505.16322 §3). What nobody judged has had none. Pure.
 */
export function afterTurns(earlier: readonly QueueRow[], turns: readonly Turn[], iteration: number): QueueRow[] {
  const judged = turns.filter((turn) => turn.judged > 0);
  const share = judged.length === 0 ? 0 : judged.filter(({ right }) => right > 0).length / judged.length;
  const had = judged.slice(0, Math.round(judged.length * share ** 2));
  const queue = new Map(earlier.map((row) => [row.problem, row]));
  for (const { problem, right, judged: of } of had) queue.set(problem, { problem, last: iteration, won: right / of });
  return [...queue.values()].sort((x, y) => (x.problem < y.problem ? -1 : 1));
}
