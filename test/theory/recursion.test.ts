/** The recursion against the enumeration of all chains, and its published and derived special cases. */
import { describe, expect, it } from 'vitest';
import { accuracyOf, deltaOf, nextDeltas, predict, rightOf, sharpened, soundOf } from '../../theory/recursion.ts';

/** Every chain from state 0 with its probability: what the closed form sums up. */
function enumerate(states: number, deltas: readonly number[], falseAccepts: number) {
  const steps = deltas.length;
  const right = deltas.map(() => 0);
  let [kept, ends, sound] = [0, 0, 0];
  const path = Array<number>(steps).fill(0);
  const visit = (step: number, at: number, probability: number): void => {
    if (step === steps) {
      const good = at === steps % states;
      const weight = probability * (good ? 1 : falseAccepts);
      if (good) ends += probability;
      kept += weight;
      for (let n = 0; n < steps; n++) if (path[n] === 1) right[n]! += weight;
      if (path.every((one) => one === 1)) sound += weight;
      return;
    }
    for (let next = 0; next < states; next++) {
      const hit = next === (at + 1) % states;
      path[step] = hit ? 1 : 0;
      visit(step + 1, next, probability * (hit ? rightOf(states, deltas[step]!) : (1 - deltas[step]!) / states));
    }
  };
  visit(0, 0, 1);
  return { accuracy: ends, sound: sound / kept, deltas: right.map((one) => deltaOf(states, one / kept)) };
}

const PATTERNS: [states: number, deltas: number[]][] = [
  [5, [0.2, 0.2, 0.2]],
  [4, [0.3, 0, 0.2]],
  [4, [0.3, 0, 0]],
  [6, [-0.01, -0.01, 0.2]],
  [3, [0.1, 0.5, 0.9, -0.2]],
  [2, [0.4]],
  [7, [0, 0.6]],
  [5, [1, 1, 0.5]],
];

describe.each(PATTERNS)('%i states, steps %j', (states, deltas) => {
  it.each([0, 0.05, 1])('is the enumeration of all chains, with %d false accepts', (falseAccepts) => {
    const exact = enumerate(states, deltas, falseAccepts);
    expect(Math.abs(accuracyOf({ states, deltas }) - exact.accuracy)).toBeLessThan(1e-12);
    expect(Math.abs(soundOf({ states, deltas }, falseAccepts) - exact.sound)).toBeLessThan(1e-12);
    const next = nextDeltas({ states, deltas }, falseAccepts);
    for (const [step, delta] of next.entries()) expect(Math.abs(delta - exact.deltas[step]!)).toBeLessThan(1e-12);
  });
});

describe('the recursion', () => {
  const accuracies = (states: number, deltas: number[], iterations: number, more = {}) =>
    predict({ states, deltas, iterations, ...more }).map(({ accuracy }) => accuracy);

  it('is the published form for three equal steps', () => {
    for (const [M, d] of [
      [64, 0.1],
      [8, 0.2],
    ] as const)
      for (const delta of nextDeltas({ states: M, deltas: [d, d, d] }))
        expect(delta).toBeCloseTo(((M - 2) * d ** 3 + d ** 2 + d) / ((M - 1) * d ** 3 + 1), 12);
  });

  it('gives the accuracies that are known of it', () => {
    const [first, ...then] = accuracies(64, [0.2, 0.2, 0.2], 3);
    expect(first).toBeCloseTo(0.0235, 4);
    expect(then.map((one) => Number(one.toFixed(4)))).toEqual(
      [0.1307, 0.8692, 0.9998].map((one) => expect.closeTo(one, 3)),
    );
    expect(accuracies(64, [0.1, 0.1, 0.1], 4)).toEqual(
      [0.0166, 0.0198, 0.0599, 0.627, 0.997].map((one) => expect.closeTo(one, 3)),
    );
  });

  it('one step without a signal moves first; two of them never do; without a filter nothing does', () => {
    expect(predict({ states: 8, deltas: [0.2, 0, 0.2], iterations: 12 }).at(-1)!.accuracy).toBeGreaterThan(0.99);
    const stuck = predict({ states: 8, deltas: [0.2, 0, 0], iterations: 12 });
    expect(stuck.at(-1)!.deltas).toEqual(stuck[0]!.deltas.map((one) => expect.closeTo(one, 12)));
    const unfiltered = accuracies(8, [0.2, 0.2, 0.2], 12, { falseAccepts: 1 });
    for (const one of unfiltered) expect(one).toBeCloseTo(unfiltered[0]!, 12);
  });

  it('two steps slightly below chance: accuracy rises while those steps get worse', () => {
    const [base, ...later] = predict({ states: 8, deltas: [-0.01, -0.01, 0.2], iterations: 3 });
    expect(later.at(-1)!.accuracy).toBeGreaterThan(base!.accuracy);
    expect(later.at(-1)!.deltas[0]).toBeLessThan(base!.deltas[0]!);
  });

  it('at T = 0.5 sharpening alone does what the filter seems to do', () => {
    const cold = accuracies(64, [0.1, 0.1, 0.1], 2, { temperature: 0.5, falseAccepts: 1 });
    expect(cold).toEqual([0.141, 0.958, 1].map((one) => expect.closeTo(one, 2)));
    expect(sharpened(64, 0.1, 1)).toBe(0.1);
    expect(sharpened(64, 0, 0.5)).toBeCloseTo(0, 12);
  });

  it('refuses what is no chain, and says why', () => {
    const chain = { states: 8, deltas: [0.2], iterations: 1 };
    expect(() => predict({ ...chain, states: 1 })).toThrow('states is 1');
    expect(() => predict({ ...chain, deltas: [] })).toThrow('at least one step');
    expect(() => predict({ ...chain, deltas: [1.1] })).toThrow('a delta is 1.1');
    expect(() => predict({ ...chain, deltas: [-0.2] })).toThrow('-0.1429');
    expect(() => predict({ ...chain, falseAccepts: 2 })).toThrow('falseAccepts');
    expect(() => predict({ ...chain, temperature: 0 })).toThrow('temperature');
  });
});
