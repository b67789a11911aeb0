/** AdaSTaR's queue against a plain heap that pops and re-keys, as the paper's algorithm is written. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { afterTurns, byTurn } from '../../schemas/queue.ts';
import type { QueueRow, Turn } from '../../schemas/queue.ts';

const ids = Array.from({ length: 12 }, (_, n) => `p${String(n).padStart(2, '0')}`);
const tieOf = ({ id }: { id: string }) => id;

/** Minimum by search, one after the other; keys are changed in place. */
class PlainHeap {
  readonly keys = new Map(ids.map((id) => [id, [0, 0] as [last: number, won: number]]));
  pop(count: number): string[] {
    const left = new Set(ids);
    return Array.from({ length: count }, () => {
      let first: string | undefined;
      for (const id of left) {
        if (first === undefined) first = id;
        const [a, b] = [this.keys.get(id)!, this.keys.get(first)!];
        if (a[0] < b[0] || (a[0] === b[0] && (a[1] < b[1] || (a[1] === b[1] && id < first)))) first = id;
      }
      left.delete(first!);
      return first!;
    });
  }
  push(turns: Turn[], iteration: number): void {
    let solved = 0;
    for (const { right } of turns) if (right > 0) solved++;
    const alpha = solved / turns.length;
    const moved = Math.round(turns.length * alpha * alpha);
    for (let n = 0; n < moved; n++) this.keys.set(turns[n]!.problem, [iteration, turns[n]!.right / turns[n]!.judged]);
  }
}

describe('the queue', () => {
  it('takes problems in the order of a plain heap, iteration after iteration', () => {
    const outcome = fc.record({ judged: fc.integer({ min: 1, max: 4 }), share: fc.integer({ min: 0, max: 4 }) });
    const runs = fc.array(fc.array(outcome, { minLength: 5, maxLength: 5 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(runs, (iterations) => {
        const heap = new PlainHeap();
        let queue: QueueRow[] = [];
        for (const [n, outcomes] of iterations.entries()) {
          const known = new Map(queue.map((row) => [row.problem, row]));
          const line = ids.map((id) => ({ id })).sort(byTurn(known, tieOf));
          const drawn = line.slice(0, 5).map(({ id }) => id);
          expect(drawn).toEqual(heap.pop(5));
          const turns = drawn.map((problem, i) => {
            const { judged, share } = outcomes[i]!;
            return { problem, judged, right: Math.min(judged, share) };
          });
          heap.push(turns, n + 1);
          queue = afterTurns(queue, turns, n + 1);
        }
        for (const { problem, last, won } of queue) expect(heap.keys.get(problem)).toEqual([last, won]);
      }),
    );
  });

  it('moves m·α² places on: none for a model that solves nothing, all for one that solves all', () => {
    const turns = (right: number) =>
      ids.slice(0, 10).map((problem, n) => ({ problem, judged: 1, right: Number(n < right) }));
    expect(afterTurns([], turns(0), 3)).toEqual([]);
    expect(afterTurns([], turns(5), 3).map(({ problem }) => problem)).toEqual(ids.slice(0, 3));
    expect(afterTurns([], turns(10), 3)).toHaveLength(10);
  });

  it('leaves what nobody judged where it was', () => {
    const [a = '', b = '', c = ''] = ids;
    const turns = [{ problem: a, judged: 0, right: 0 }, ...[b, c].map((problem) => ({ problem, judged: 2, right: 1 }))];
    expect(afterTurns([], turns, 1)).toEqual([b, c].map((problem) => ({ problem, last: 1, won: 0.5 })));
  });
});
