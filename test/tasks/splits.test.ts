import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Problem, Split } from '../../schemas/problem.ts';
import addition from '../../tasks/addition.ts';
import { permutation } from '../../tasks/permutation.ts';
import { HELD_OUT, Splits } from '../../tasks/splits.ts';
import type { Stratum } from '../../tasks/task.ts';

const ALL = { digits: 8 };
const strata = addition.strata(ALL);

/** Problems 0 … size−1, `perIdentity` of them to an identity. */
const stratumOf = (size: number, perIdentity = 1): Stratum => ({
  id: 's',
  size,
  at: (index) => ({
    id: String(index),
    identity: `i${Math.floor(index / perIdentity)}`,
    stratum: 's',
    data: {},
    gold: ['x'],
  }),
});

describe('splits', () => {
  it('are disjoint by identity: 100,000 random problems, both orders on one side, held-out ones on theirs', () => {
    const held = new Map<string, Split>();
    for (const side of ['dev', 'test'] as const)
      for (const { identity } of addition.heldOut(side, ALL)) {
        expect(held.has(identity)).toBe(false);
        held.set(identity, side);
      }
    const sides = new Map<string, Split>();
    const count = { train: 0, dev: 0, test: 0 };
    for (const stratum of strata.slice(0, 5)) {
      const order = permutation(stratum.size, 'any');
      for (let i = 0; i < 20_000; i++) {
        const problem = stratum.at(order(i % stratum.size));
        const { a, b } = problem.data as { a: number; b: number };
        const swapped: Problem = { ...problem, id: `${b}+${a}`, data: { a: b, b: a } };
        const side = addition.split(problem, ALL);
        if (addition.split(swapped, ALL) !== side || (sides.get(problem.identity) ?? side) !== side)
          throw new Error(`${problem.id} stands on two sides`);
        if ((held.get(problem.identity) ?? side) !== side) throw new Error(`${problem.id} is held out on another side`);
        sides.set(problem.identity, side);
        count[side]++;
      }
    }
    expect(count.train).toBeGreaterThan(79_000);
  });

  it('hold out 5, 409 and then 500 a side, and never more than a fifth of the identities', () => {
    const sizes = (side: 'dev' | 'test') =>
      strata.map(({ id }) => addition.heldOut(side, ALL).filter((problem) => problem.stratum === id).length);
    expect(sizes('dev')).toEqual([5, 409, 500, 500, 500, 500, 500, 500]);
    expect(sizes('test')).toEqual(sizes('dev'));
    // Every identity of the first three strata: what is kept from training, evaluated on or not.
    for (const stratum of strata.slice(0, 3)) {
      const identities = new Map<string, Split>();
      for (let index = 0; index < stratum.size; index++) {
        const problem = stratum.at(index);
        if (!identities.has(problem.identity)) identities.set(problem.identity, addition.split(problem, ALL));
      }
      const kept = [...identities.values()].filter((side) => side !== 'train').length;
      expect(kept / identities.size).toBeLessThanOrEqual(0.2);
      expect(kept / identities.size).toBeGreaterThan(0.18);
    }
  });

  it('do not move: the held-out problems of today are those of tomorrow', () => {
    const first = (side: 'dev' | 'test') => addition.heldOut(side, { digits: 1 }).map((problem) => problem.id);
    expect(first('dev')).toEqual(DEV_1);
    expect(first('test')).toEqual(TEST_1);
    // More digits add strata and leave the others alone.
    expect(
      addition
        .heldOut('test', ALL)
        .slice(0, 5)
        .map((problem) => problem.id),
    ).toEqual(TEST_1);
  });

  it('hold at any size, with several problems to an identity', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 1, max: 5 }), (size, perIdentity) => {
        const stratum = stratumOf(size, perIdentity);
        const splits = new Splits([stratum]);
        const identities = Math.ceil(size / perIdentity);
        for (const side of ['dev', 'test'] as const) {
          const held = splits.heldOut([stratum], side);
          expect(held).toHaveLength(Math.min(HELD_OUT, Math.floor(identities / 10)));
          expect(new Set(held.map((problem) => problem.identity)).size).toBe(held.length);
          for (const problem of held) expect(splits.of(problem)).toBe(side);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('cap small strata at 500 a side and stay under a fifth just above the limit of small ones', () => {
    for (const size of [20_000, 20_001]) {
      const stratum = stratumOf(size);
      const splits = new Splits([stratum]);
      expect(splits.heldOut([stratum], 'dev')).toHaveLength(HELD_OUT);
      expect(splits.heldOut([stratum], 'test')).toHaveLength(HELD_OUT);
      const kept = Array.from({ length: size }, (_, i) => splits.of(stratum.at(i))).filter((side) => side !== 'train');
      expect(kept.length / size).toBeLessThanOrEqual(0.2);
    }
  });

  it('refuse a stratum that does not exist', () => {
    expect(() => new Splits([stratumOf(1)]).of({ ...stratumOf(1).at(0), stratum: '9' })).toThrow(/no stratum "9".* s$/);
  });
});

const DEV_1 = ['5+8', '8+3', '2+0', '2+5', '9+9'];
const TEST_1 = ['7+9', '2+9', '9+3', '7+7', '6+2'];
