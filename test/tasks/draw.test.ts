import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Problem } from '../../schemas/problem.ts';
import addition from '../../tasks/addition.ts';
import { drawProblems, shuffleGold } from '../../tasks/draw.ts';
import { permutation } from '../../tasks/permutation.ts';

const FIVE = { digits: 5 };
const draw = (count: number, seed = '00', digits = 5) => drawProblems(addition, { digits }, { count, seed });
function perStratum(problems: Problem[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { stratum } of problems) counts[stratum] = (counts[stratum] ?? 0) + 1;
  return counts;
}
const oneDigitTrain = Array.from({ length: 100 }, (_, index) => addition.strata(FIVE)[0]!.at(index)).filter(
  (problem) => addition.split(problem, FIVE) === 'train',
).length;

describe('permutation', () => {
  it('is a bijection at any size, decided by the seed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3000 }), fc.string(), (size, seed) => {
        const order = permutation(size, seed);
        const images = new Set(Array.from({ length: size }, (_, index) => order(index)));
        expect(images.size).toBe(size);
        for (const image of images) expect(Number.isInteger(image) && image >= 0 && image < size).toBe(true);
      }),
    );
  });

  it('stays inside and never repeats in the largest domain that numbers can count', () => {
    const order = permutation(2 ** 53, 'x');
    const images = new Set(Array.from({ length: 50_000 }, (_, index) => order(2 ** 53 - 1 - index)));
    expect(images.size).toBe(50_000);
    for (const image of images) expect(Number.isSafeInteger(image) && image >= 0).toBe(true);
    expect(() => permutation(10, 'x')(10)).toThrow(RangeError);
    expect(() => permutation(2.5, 'x')).toThrow(RangeError);
  });

  it('is even: places in tenths of the domain and of the order go together as chance has it', () => {
    const size = 8100;
    const order = permutation(size, 'even');
    const cells = new Array<number>(100).fill(0);
    for (let i = 0; i < size; i++) cells[Math.floor((i * 10) / size) * 10 + Math.floor((order(i) * 10) / size)]!++;
    const chi = cells.reduce((sum, cell) => sum + (cell - 81) ** 2 / 81, 0);
    // 81 degrees of freedom: above 135 once in ten thousand seeds.
    expect(chi).toBeLessThan(135);
  });
});

describe('drawProblems', () => {
  it('shares the count evenly, the remainder to the first strata', () => {
    expect(perStratum(draw(103))).toEqual({ 1: 21, 2: 21, 3: 21, 4: 20, 5: 20 });
    expect(perStratum(draw(3))).toEqual({ 1: 1, 2: 1, 3: 1 });
  });

  it('takes a small stratum whole and lets the number drawn fall', () => {
    expect(perStratum(draw(2000))).toEqual({ 1: oneDigitTrain, 2: 400, 3: 400, 4: 400, 5: 400 });
    expect(draw(2000)).toHaveLength(1600 + oneDigitTrain);
  });

  it('is without replacement, from the train side, for any count and seed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4000 }), fc.string({ maxLength: 8 }), (count, seed) => {
        const drawn = draw(count, seed);
        expect(new Set(drawn.map((problem) => problem.id)).size).toBe(drawn.length);
        for (const problem of drawn) expect(addition.split(problem, FIVE)).toBe('train');
      }),
      { numRuns: 30 },
    );
  });

  it('prefers new identities, and takes the other order only when none is left', () => {
    // 4095 identities of two digits, 818 of them held out.
    const distinct = draw(3277, 'a', 2).filter((problem) => problem.stratum === '2');
    const some = distinct.slice(0, 1638);
    expect(new Set(some.map((problem) => problem.identity)).size).toBe(some.length);
    const all = draw(100_000, 'a', 2).filter((problem) => problem.stratum === '2');
    expect(new Set(all.map((problem) => problem.identity)).size).toBe(4095 - 818);
    expect(all.length).toBeGreaterThan(4095 - 818);
  });

  it('differs by seed and mixes the strata, so that shards are alike', () => {
    expect(draw(500, '01')).not.toEqual(draw(500, '02'));
    // Not the order alone: another seed draws other problems.
    const ids = new Set(draw(500, '01').map((problem) => problem.id));
    const shared = draw(500, '02').filter((problem) => problem.stratum === '5' && ids.has(problem.id));
    expect(shared.length).toBeLessThan(3);
    const shards = Array.from({ length: 8 }, (_, shard) =>
      perStratum(draw(2000).slice(shard * 200, shard * 200 + 200)),
    );
    for (const shard of shards) for (const id of ['2', '3', '4', '5']) expect(shard[id]).toBeGreaterThan(20);
  });

  it('draws 2,000 problems in under 50 ms', () => {
    draw(2000);
    const times = Array.from({ length: 5 }, (_, seed) => {
      const start = performance.now();
      draw(2000, String(seed));
      return performance.now() - start;
    });
    expect(Math.min(...times)).toBeLessThan(50);
  });

  it('draws a million in under 10 s, each once', { timeout: 60_000 }, () => {
    const start = performance.now();
    const drawn = draw(1_000_000);
    expect(performance.now() - start).toBeLessThan(10_000);
    expect(new Set(drawn.map((problem) => problem.id)).size).toBe(drawn.length);
    expect(perStratum(drawn)['5']).toBe(200_000);
  });
});

describe('shuffleGold', () => {
  it('gives each problem the answer of another, mostly of its stratum, by the seed', () => {
    const problems = drawProblems(addition, FIVE, { count: 500, seed: 'a' });
    const shuffled = shuffleGold(problems, 'a');
    expect(shuffled.map(({ id }) => id)).toEqual(problems.map(({ id }) => id));
    const answers = (of: Problem[]) => of.map(({ gold }) => gold[0]).sort();
    expect(answers(shuffled)).toEqual(answers(problems));
    expect(shuffled.filter(({ gold }, n) => gold[0] === problems[n]?.gold[0])).toEqual([]);
    const sameLength = shuffled.filter(({ gold }, n) => gold[0]?.length === problems[n]?.gold[0]?.length);
    expect(sameLength.length).toBeGreaterThan(350);
    expect(shuffleGold(problems, 'a')).toEqual(shuffled);
    expect(shuffleGold(problems, 'b')).not.toEqual(shuffled);
  });

  it('leaves alone what cannot be shuffled', () => {
    const [one] = drawProblems(addition, FIVE, { count: 500, seed: 'a' });
    expect(shuffleGold([], 'a')).toEqual([]);
    expect(shuffleGold([one!], 'a')).toEqual([one]);
  });
});
