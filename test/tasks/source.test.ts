/** Problems that are given and grow: sides by identity alone, new ones drawn first, held-out ones never trained on. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Problem } from '../../schemas/problem.ts';
import addition, { additionProblem } from '../../tasks/addition.ts';
import { isGate, withoutGate } from '../../tasks/gate.ts';
import { drawWithNew, sideOf, withProblems } from '../../tasks/source.ts';

const problem = (number: number): Problem =>
  additionProblem(10 + (number % 90), 10 + (Math.floor(number / 90) % 90), 2);
const some = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => problem(from + 7 * i));
const ids = (problems: readonly Problem[]) => problems.map(({ id }) => id);
const parameters = { digits: 2 };

describe('a task over given problems', () => {
  it('keeps every identity on its side, however the list grows', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 400 }), (size, more) => {
        const before = withProblems(addition, some(0, size));
        const after = withProblems(addition, some(0, size + more));
        for (const one of some(0, size)) expect(after.split(one, parameters)).toBe(before.split(one, parameters));
        for (const side of ['dev', 'test'] as const) {
          const kept = ids(after.heldOut(side, parameters));
          for (const one of before.heldOut(side, parameters)) expect(kept).toContain(one.id);
        }
      }),
      { numRuns: 20 },
    );
  });

  it('holds out about a tenth a side, dev apart from test, and nothing of either is a seed', () => {
    const problems = some(0, 1000);
    const identities = new Set(problems.map(({ identity }) => identity)).size;
    const task = withProblems(addition, problems);
    const [dev, test] = (['dev', 'test'] as const).map((side) => task.heldOut(side, parameters));
    for (const side of [dev, test]) {
      expect(side!.length / identities).toBeGreaterThan(0.07);
      expect(side!.length / identities).toBeLessThan(0.13);
    }
    const held = new Set([...dev!, ...test!].map(({ identity }) => identity));
    expect(held.size).toBe(dev!.length + test!.length);
    const seeds = task.seeds(parameters, 'seed');
    expect(seeds.length).toBeGreaterThan(300);
    expect(seeds.filter((one) => sideOf(one.problem) !== 'train')).toEqual([]);
  });

  it('both orders of one pair stand on one side', () => {
    for (const { data } of some(0, 300)) {
      const [a, b] = [Number(data.a), Number(data.b)];
      expect(sideOf(additionProblem(b, a, 2))).toBe(sideOf(additionProblem(a, b, 2)));
    }
  });
});

describe('drawing', () => {
  const problems = some(0, 600);
  const fresh = new Set(ids(problems.slice(500)));
  const isNew = ({ id }: Problem) => fresh.has(id);
  const task = withoutGate(withProblems(addition, problems));
  const draw = (count: number, newShare: number, seed = 's') =>
    drawWithNew(task, parameters, { count, newShare, seed, isNew });
  const trainable = problems.filter((one) => sideOf(one) === 'train' && !isGate(one));
  const freshTrainable = trainable.filter(isNew).length;

  it('takes new problems first up to their share, then from all: without replacement, from train without the gate', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 700 }), fc.double({ min: 0, max: 1, noNaN: true }), (count, newShare) => {
        const { drawn, fresh: news } = draw(count, newShare);
        expect(drawn).toHaveLength(Math.min(count, trainable.length));
        expect(new Set(ids(drawn)).size).toBe(drawn.length);
        expect(drawn.filter((one) => sideOf(one) !== 'train' || isGate(one))).toEqual([]);
        expect(news).toBe(drawn.filter(isNew).length);
        expect(news).toBeGreaterThanOrEqual(Math.min(Math.round(count * newShare), freshTrainable));
      }),
      { numRuns: 40 },
    );
  });

  it('of 100 at half, 50 are new at least; with a share of 0 no more than chance brings', () => {
    expect(draw(100, 0.5).fresh).toBeGreaterThanOrEqual(50);
    expect(draw(100, 0.5).fresh, 'and few more').toBeLessThan(62);
    expect(freshTrainable).toBeGreaterThan(65);
    expect(draw(100, 0).fresh).toBeLessThan(35);
  });

  it('is decided by the seed, and mixes new with old', () => {
    expect(ids(draw(100, 0.5).drawn)).toEqual(ids(draw(100, 0.5).drawn));
    expect(ids(draw(100, 0.5).drawn)).not.toEqual(ids(draw(100, 0.5, 'other').drawn));
    expect(draw(100, 0.5).drawn.slice(0, 50).every(isNew)).toBe(false);
  });
});
