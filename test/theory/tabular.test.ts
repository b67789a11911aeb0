import { describe, expect, it } from 'vitest';
import { accuracyOf, nextDeltas } from '../../theory/recursion.ts';
import { tabular } from '../../theory/tabular.ts';

const seeds = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
const mean = (values: number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;

describe('the tabular loop', () => {
  it('begins as it is told to, and says the same twice', () => {
    const loop = { states: 8, deltas: [0.2, 0.1], iterations: 2, samples: 64, seed: 3 };
    const [base, ...rest] = tabular(loop);
    expect(base!.accuracy).toBeCloseTo(accuracyOf(loop), 12);
    expect(base!.deltas).toEqual(loop.deltas.map((one) => expect.closeTo(one, 12)));
    expect(tabular(loop)).toEqual([base, ...rest]);
    expect(tabular({ ...loop, seed: 4 })[1]!.accuracy).not.toBe(rest[0]!.accuracy);
  });

  it(
    'from the measured steps the recursion foretells the next accuracy, with many samples',
    { timeout: 60_000 },
    () => {
      for (const deltas of [
        [0.2, 0.2, 0.2],
        [0.3, 0, 0.3],
      ]) {
        const runs = seeds(8).map((seed) => tabular({ states: 8, deltas, iterations: 3, samples: 4096, seed }));
        for (const t of [0, 1, 2]) {
          const off = runs.map(
            (run) =>
              run[t + 1]!.accuracy -
              accuracyOf({ states: 8, deltas: nextDeltas({ states: 8, deltas: run[t]!.deltas }) }),
          );
          expect(Math.abs(mean(off)), `iteration ${t + 1} of ${JSON.stringify(deltas)}`).toBeLessThan(0.02);
        }
      }
    },
  );

  it('without a filter it stays where it is; false accepts slow it; a sharp sampler needs no filter', () => {
    const last = (more: object) =>
      mean(
        seeds(3).map(
          (seed) =>
            tabular({ states: 8, deltas: [0.2, 0.2, 0.2], iterations: 5, samples: 512, seed, ...more }).at(-1)!
              .accuracy,
        ),
      );
    const filtered = last({});
    expect(filtered).toBeGreaterThan(0.9);
    expect(last({ falseAccepts: 1 })).toBeLessThan(0.2);
    expect(last({ falseAccepts: 0.2 })).toBeLessThan(filtered - 0.1);
    expect(last({ falseAccepts: 1, temperature: 0.5 })).toBeGreaterThan(0.9);
  });

  it('two steps without a signal: with few samples accuracy rises and hardly a chain is sound', () => {
    const runs = seeds(6).map((seed) => tabular({ states: 8, deltas: [0.2, 0, 0], iterations: 12, samples: 64, seed }));
    expect(mean(runs.map((run) => run.at(-1)!.accuracy))).toBeGreaterThan(0.6);
    expect(mean(runs.map((run) => run.at(-1)!.sound ?? 0))).toBeLessThan(0.25);
  });

  it('refuses no samples', () => {
    expect(() => tabular({ states: 8, deltas: [0.2], iterations: 1, samples: 0, seed: 1 })).toThrow('samples is 0');
  });
});
