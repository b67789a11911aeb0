import { describe, expect, it } from 'vitest';
import addition, { additionProblem } from '../../tasks/addition.ts';
import { drawProblems } from '../../tasks/draw.ts';
import { GATE_SHARE, gateProblems, isGate, withoutGate } from '../../tasks/gate.ts';

const FIVE = { digits: 5 };
const identities = (problems: { identity: string }[]) => new Set(problems.map(({ identity }) => identity));
const gate = gateProblems(addition, FIVE);

describe('the gate', () => {
  it('lies in train: apart from dev and test by identity, and the same every time', () => {
    for (const side of ['dev', 'test'] as const)
      for (const identity of identities(addition.heldOut(side, FIVE))) expect(identities(gate)).not.toContain(identity);
    expect(gate.every((problem) => addition.split(problem, FIVE) === 'train' && isGate(problem))).toBe(true);
    expect(gateProblems(addition, FIVE)).toEqual(gate);
    // Three-digit and larger strata are full; a change here moves what was promoted on.
    expect(gate.filter(({ stratum }) => Number(stratum) >= 3)).toHaveLength(1500);
  });

  it('is never drawn and never a seed in a run that asks for it; about its share of the train side', () => {
    const task = withoutGate(addition);
    for (const seed of ['00', '01', '02']) {
      const drawn = drawProblems(task, FIVE, { count: 4000, seed });
      expect(drawn.filter(isGate)).toEqual([]);
      expect(drawn.every((problem) => addition.split(problem, FIVE) === 'train')).toBe(true);
      expect(task.seeds(FIVE, seed).filter(({ problem }) => isGate(problem))).toEqual([]);
    }
    const plain = drawProblems(addition, FIVE, { count: 4000, seed: '00' });
    const share = plain.filter(isGate).length / plain.length;
    expect(Math.abs(share - GATE_SHARE)).toBeLessThan(0.03);
  });

  it('a new problem joins by its identity alone, whichever way round it is written', () => {
    for (const { data, stratum } of gate.slice(0, 200)) {
      const { a, b } = data as { a: number; b: number };
      expect(isGate(additionProblem(b, a, Number(stratum)))).toBe(true);
    }
  });
});
