/** The measuring of steps against planted chains, and runs held against the recursion they were planted by. */
import { describe, expect, it } from 'vitest';
import chains, { ChainParameters, endsRight, rightMoves } from '../../tasks/chains.ts';
import { heldAgainst, measure } from '../../theory/measured.ts';
import type { Steps } from '../../theory/measured.ts';
import { accuracyOf, predict, soundOf } from '../../theory/recursion.ts';

const STATES = 8;
const SEEDS = 6000;

/** Chains of a teacher with just these advantages, as a model's samples. */
function planted(deltas: number[], seed = '01'): Steps {
  const parameters = ChainParameters.parse({ states: STATES, deltas, seeds: SEEDS });
  const moves = chains
    .seeds(parameters, seed)
    .map(({ problem, rationale }) => ({ right: rightMoves(problem, rationale), ended: endsRight(problem, rationale) }));
  return measure(STATES, moves)!;
}

/** Four standard errors of a share, in units of δ. */
const NEAR = (4 * Math.sqrt(0.25 / SEEDS) * STATES) / (STATES - 1);

describe('measure', () => {
  it.each([[[0.2, 0.2, 0.2]], [[0.4, 0, 0]], [[0.5, -0.1, 0.9, 0.3]]])('finds the planted advantages %j', (deltas) => {
    const { samples, deltas: found, accuracy, sound } = planted(deltas);
    expect(samples).toBe(SEEDS);
    expect(found).toHaveLength(deltas.length);
    for (const [step, delta] of deltas.entries()) expect(Math.abs(found[step]! - delta)).toBeLessThan(NEAR);
    expect(Math.abs(accuracy - accuracyOf({ states: STATES, deltas }))).toBeLessThan(NEAR);
    const kept = accuracy * SEEDS;
    expect(Math.abs(sound! - soundOf({ states: STATES, deltas }))).toBeLessThan(4 * Math.sqrt(0.25 / kept));
  });

  it('counts by hand: two right ends of four, one of them by wrong steps', () => {
    const moves = [
      { right: [true, true], ended: true },
      { right: [false, false], ended: true },
      { right: [true, false], ended: false },
      { right: [false, true], ended: false },
    ];
    // A right move of half is (2 · 1/2 − 1) / (2 − 1) above the chance of one in two.
    expect(measure(2, moves)).toEqual({ samples: 4, accuracy: 0.5, sound: 0.5, deltas: [0, 0] });
    expect(measure(2, [])).toBeUndefined();
    expect(measure(2, [{ right: [false], ended: false }])?.sound).toBeNull();
  });
});

describe('heldAgainst', () => {
  const exact = (falseAccepts: number, temperature = 1): Steps[] =>
    predict({ states: STATES, deltas: [0.3, 0.2], iterations: 3, falseAccepts, temperature }).map(
      ({ deltas, accuracy, sound }) => ({ samples: 1000, deltas, accuracy, sound }),
    );

  it.each([0, 0.1, 1])('foretells runs that follow the recursion, false accepts %d', (falseAccepts) => {
    const rows = heldAgainst([exact(falseAccepts), exact(falseAccepts)], { states: STATES, falseAccepts });
    expect(rows).toHaveLength(4);
    expect(rows[0]).toMatchObject({ foretold: null, off: null, interval: null });
    for (const { off, ofSteps, accuracy } of rows) {
      expect(off ?? 0).toBeCloseTo(0, 12);
      expect(ofSteps.accuracy).toBeCloseTo(accuracy, 12);
    }
  });

  it('tells a loop that follows another one, and how far its runs are apart', () => {
    const [plain] = heldAgainst([exact(0.1), exact(0.1)], { states: STATES }).slice(2);
    expect(plain!.off).toBeLessThan(-0.01);
    const off = exact(0).map((steps, n) => ({ ...steps, accuracy: steps.accuracy + 0.1 * n }));
    const [, , third] = heldAgainst([exact(0), off], { states: STATES });
    expect(third!.off).toBeCloseTo(0.1, 12);
    expect(third!.interval![0]).toBeLessThan(-1);
    expect(heldAgainst([exact(0)], { states: STATES })[1]!.interval).toBeNull();
    expect(heldAgainst([exact(0), exact(0).slice(0, 2)], { states: STATES })).toHaveLength(2);
  });

  it('sharpens what is foretold: the samples that deltas were measured by were sharpened too', () => {
    const [states, temperature] = [STATES, 0.5];
    const asked = [0.4, 0.3];
    const steps = { samples: 1, deltas: asked, accuracy: accuracyOf({ states, deltas: asked }), sound: 1 };
    const [, cold] = heldAgainst([[steps, steps]], { states, temperature });
    const [, warm] = heldAgainst([[steps, steps]], { states });
    expect(cold!.foretold!.accuracy).toBeGreaterThan(warm!.foretold!.accuracy + 0.1);
  });
});
