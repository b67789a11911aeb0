import { expect, test } from 'vitest';
import { soundnessAlarms } from '../../schemas/soundness.ts';
import type { SoundnessOf } from '../../schemas/soundness.ts';

const iteration = (n: number, dev: number, soundShare: number | null, accepted = 400): SoundnessOf => ({
  n,
  dev,
  soundShare,
  ledger: { acceptedFree: accepted, acceptedHinted: 0 },
});
const told = (iterations: SoundnessOf[]) => soundnessAlarms(iterations).map(({ n, what }) => `${n} ${what}`);

test('accuracy that rises while soundness falls is told, with both figures', () => {
  const [alarm, ...others] = soundnessAlarms([iteration(1, 0.4, 0.9), iteration(2, 0.6, 0.7)]);
  expect(others).toEqual([]);
  expect(alarm).toMatchObject({ n: 2, what: 'falling' });
  expect(alarm?.reason).toContain('40.0% (iteration 1) to 60.0%');
  expect(alarm?.reason).toContain('70.0% are sound instead of 90.0%');
});

test('no alarm where soundness stands or rises, where accuracy does not rise, or where the shares are within chance', () => {
  expect(told([iteration(1, 0.4, 0.9), iteration(2, 0.9, 0.97)])).toEqual([]);
  expect(told([iteration(1, 0.4, 0.9), iteration(2, 0.41, 0.7)])).toEqual([]);
  expect(told([iteration(1, 0.4, 0.9, 20), iteration(2, 0.6, 0.75, 20)])).toEqual([]);
});

test('a fall over several iterations is held against the soundest before it', () => {
  expect(told([iteration(1, 0.3, 0.95), iteration(2, 0.35, 0.93), iteration(3, 0.5, 0.9)])).toEqual(['3 falling']);
});

test('mostly unsound from the start: told, once there are rationales enough', () => {
  expect(told([iteration(1, 0.33, 0.02, 110)])).toEqual(['1 low']);
  expect(told([iteration(1, 0.33, 0.02, 20)])).toEqual([]);
  expect(told([iteration(1, 0.33, 0.48, 100)])).toEqual([]);
});

test('unchecked steps and iterations without rationales say nothing', () => {
  expect(told([iteration(0, 0.1, null, 0), iteration(1, 0.3, null), iteration(2, 0.9, null)])).toEqual([]);
});

/**
 * A case made for it: a chain of three steps over eight states of which two carry no signal at first, solved by a table that learns from
 * its accepted chains (self-consistent wrong steps give right answers too). Accuracy climbs; soundness stays near chance.
 */
test('a loop that locks in self-consistent wrong steps raises it', () => {
  const STATES = 8;
  let state = 12345;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  // The right steps: +1, +3, +5 (mod 8). The first step has a signal, the others none.
  const shift = [1, 3, 5];
  const table = shift.map((by, step) =>
    Array.from({ length: STATES }, (_, from) =>
      Array.from({ length: STATES }, (_, to): number => (step === 0 && to === (from + by) % STATES ? 3 : 1)),
    ),
  );
  const draw = (weights: number[]) => {
    let left = random() * weights.reduce((sum, one) => sum + one, 0);
    return weights.findIndex((one) => (left -= one) < 0);
  };
  const chain = (start: number) => {
    const path = [start];
    for (let step = 0; step < 3; step++) path.push(draw(table[step]![path[step]!]!));
    return path;
  };
  const right = (path: number[]) => path[3] === (path[0]! + 9) % STATES;
  const soundChain = (path: number[]) => shift.every((by, step) => path[step + 1] === (path[step]! + by) % STATES);
  const iterations = Array.from({ length: 8 }, (_, index) => {
    const chains = Array.from({ length: 800 }, (_, i) => chain(i % STATES));
    const accepted = chains.filter(right);
    for (const row of table) for (const cells of row) cells.fill(0.05);
    for (const path of accepted) for (let step = 0; step < 3; step++) table[step]![path[step]!]![path[step + 1]!]! += 1;
    const dev = Array.from({ length: 800 }, (_, i) => chain(i % STATES)).filter(right).length / 800;
    return iteration(index + 1, dev, accepted.filter(soundChain).length / accepted.length, accepted.length);
  });
  expect(iterations.at(-1)!.dev).toBeGreaterThan(iterations[0]!.dev + 0.2);
  expect(iterations.at(-1)!.soundShare).toBeLessThan(0.5);
  expect(told(iterations).at(-1)).toContain('low');
});
