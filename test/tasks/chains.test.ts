/** What chains of states hold besides the contract: a teacher with the asked advantage, moves judged from where a text stands, a noisy verifier. */
import { describe, expect, it } from 'vitest';
import type { Judgement } from '../../verifiers/verifier.ts';
import chains, { ChainParameters, rightMoves } from '../../tasks/chains.ts';
import { drawProblems } from '../../tasks/draw.ts';

const parameters = ChainParameters.parse({ deltas: [0.3, 0, -0.1] });
const drawn = drawProblems(chains, parameters, { count: 400, seed: '07' });
const gold = (index: number) => chains.goldCompletion(drawn[index]!);
/** The same chain with another state at one place. */
const changed = (text: string, place: number, by = 1): string => {
  const states = text.split('>s').slice(1).map(Number);
  states[place] = (states[place]! + by) % 8;
  return states.map((state) => `>s0${state}`).join('');
};

describe('chains', () => {
  it('has seeds of a teacher with just that advantage over chance at each step', () => {
    const seeds = chains.seeds(parameters, '01');
    expect(seeds).toHaveLength(4000);
    const moves = seeds.map(({ problem, rationale }) => rightMoves(problem, rationale));
    for (const [step, delta] of parameters.deltas.entries()) {
      const right = moves.filter((of) => of[step]).length / moves.length;
      // Four standard errors of a share of 4,000.
      expect(Math.abs(right - (1 + 7 * delta) / 8)).toBeLessThan(4 * Math.sqrt(0.25 / 4000));
    }
  });

  it('judges a move from where the text stands, and soundness from the start', () => {
    const problem = drawn[0]!;
    expect(rightMoves(problem, gold(0))).toEqual([true, true, true]);
    // A wrong last state is one wrong move; a wrong first one is two, since maps are one to one.
    expect(rightMoves(problem, changed(gold(0), 2))).toEqual([true, true, false]);
    expect(rightMoves(problem, changed(gold(0), 0))).toEqual([false, false, true]);
    expect(chains.checkSteps!(problem, changed(gold(0), 0))).toEqual({ sound: false, firstWrongStep: 0 });
    expect(rightMoves(problem, gold(0).slice(0, 4))).toEqual([true, false, false]);
    expect(rightMoves(problem, `0412${gold(0)}`)).toEqual([false, false, false]);
    expect(chains.checkSteps!(problem, `${gold(0)}>s00`)).toEqual({ sound: false, firstWrongStep: 3 });
  });

  it('takes a right end by wrong steps for right, but no chain of another length', async () => {
    const problem = drawn[0]!;
    expect(await chains.judge(problem, changed(gold(0), 1))).toEqual({ verdict: 'correct' });
    expect(await chains.judge(problem, gold(0).slice(4))).toMatchObject({ verdict: 'incorrect' });
  });

  it('lets through the asked share of wrong ends, the same each time, and none of a held-out problem', async () => {
    const noisy = ChainParameters.parse({ ...parameters, falseAccepts: 0.3 });
    const accepted = async (problems: typeof drawn) => {
      const verdicts: Judgement[] = [];
      for (const problem of problems)
        for (let by = 1; by < 8; by++)
          verdicts.push(await chains.judge(problem, changed(chains.goldCompletion(problem), 2, by)));
      return verdicts.filter(({ verdict }) => verdict === 'correct').length / verdicts.length;
    };
    const some = drawProblems(chains, noisy, { count: 400, seed: '07' });
    const share = await accepted(some);
    expect(Math.abs(share - 0.3)).toBeLessThan(4 * Math.sqrt(0.21 / 2800));
    expect(await accepted(some)).toBe(share);
    expect(await accepted(drawn)).toBe(0);
    expect(await accepted(chains.heldOut('test', noisy))).toBe(0);
    expect(chains.heldOut('test', noisy)).toHaveLength(500);
  });

  it('refuses a teacher who is less right than never', () => {
    expect(ChainParameters.safeParse({ states: 8, deltas: [-0.2] }).error?.issues[0]?.path).toEqual(['deltas']);
    expect(ChainParameters.safeParse({ states: 4, deltas: [-0.2] }).success).toBe(true);
  });
});
