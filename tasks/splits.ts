/**
 * Splits: which identities train, and which are kept for dev and test. The same for every run, whatever its seed.
 *
 *   const splits = new Splits(strata);
 *   splits.of(problem)                        // 'train' | 'dev' | 'test'
 *   splits.heldOut(strata, 'test')            // at most 500 problems of each stratum
 *
 * A side is a function of the identity's hash (sha256 with a fixed salt), so that all problems of one identity stand on one
 * side. At most a fifth of a stratum's identities is kept from training:
 *
 * - small strata (up to 20,000 problems) are listed and ranked by hash: the first tenth, rounded down and at most 500, is
 *   dev, the next as many are test, all others train;
 * - of large ones, 9.5% of the hash's range is dev and 9.5% is test (a tenth each would go over a fifth by chance); the
 *   first 500 distinct identities on each side, in a fixed order, are evaluated on.
 *
 * Limits: an identity must belong to one stratum. A stratum above 20,000 problems is taken to have many identities; the
 * search for its held-out problems ends after a million looks.
 */
import { createHash } from 'node:crypto';
import type { Problem, Split } from '../schemas/problem.ts';
import { permutation } from './permutation.ts';
import type { Stratum } from './task.ts';

/** Never change it: every held-out set would move, and what was trained on would be tested on. */
const SALT = 'startrail split 1';
/** Held-out problems of a stratum and side. */
export const HELD_OUT = 500;
const SMALL = 20_000;
const LARGE_SHARE = 0.095;
const MOST_LOOKS = 1_000_000;

type HeldOut = Exclude<Split, 'train'>;

const hashOf = (identity: string): string => createHash('sha256').update(`${SALT}\n${identity}`).digest('hex');

interface StratumSplit {
  of(identity: string): Split;
  heldOut: Record<HeldOut, Problem[]>;
}

/** A stratum's problems in the fixed order that also decides which problem stands for an identity. */
function* inFixedOrder(stratum: Stratum): Generator<Problem> {
  const order = permutation(stratum.size, `${SALT}\n${stratum.id}`);
  for (let i = 0; i < Math.min(stratum.size, MOST_LOOKS); i++) yield stratum.at(order(i));
}

function splitSmall(stratum: Stratum): StratumSplit {
  const first = new Map<string, Problem>();
  for (const problem of inFixedOrder(stratum)) if (!first.has(problem.identity)) first.set(problem.identity, problem);
  const ranked = [...first.values()]
    .map((problem) => ({ problem, hash: hashOf(problem.identity) }))
    .sort((x, y) => (x.hash < y.hash ? -1 : 1))
    .map(({ problem }) => problem);
  const each = Math.min(HELD_OUT, Math.floor(ranked.length / 10));
  const heldOut = { dev: ranked.slice(0, each), test: ranked.slice(each, 2 * each) };
  const sides = new Map<string, Split>();
  for (const side of ['dev', 'test'] as const) for (const { identity } of heldOut[side]) sides.set(identity, side);
  return { of: (identity) => sides.get(identity) ?? 'train', heldOut };
}

function splitLarge(stratum: Stratum): StratumSplit {
  const of = (identity: string): Split => {
    const place = parseInt(hashOf(identity).slice(0, 8), 16) / 2 ** 32;
    return place < LARGE_SHARE ? 'dev' : place < 2 * LARGE_SHARE ? 'test' : 'train';
  };
  const found = { dev: new Map<string, Problem>(), test: new Map<string, Problem>() };
  for (const problem of inFixedOrder(stratum)) {
    const side = of(problem.identity);
    if (side !== 'train' && found[side].size < HELD_OUT && !found[side].has(problem.identity))
      found[side].set(problem.identity, problem);
    if (found.dev.size === HELD_OUT && found.test.size === HELD_OUT) break;
  }
  return { of, heldOut: { dev: [...found.dev.values()], test: [...found.test.values()] } };
}

/** The splits of some strata, each worked out when it is first asked for and then kept. */
export class Splits {
  readonly #strata: Map<string, Stratum>;
  readonly #made = new Map<string, StratumSplit>();

  constructor(strata: readonly Stratum[]) {
    this.#strata = new Map(strata.map((stratum) => [stratum.id, stratum]));
  }

  #stratum(id: string): StratumSplit {
    let made = this.#made.get(id);
    if (!made) {
      const stratum = this.#strata.get(id);
      if (!stratum) throw new RangeError(`no stratum "${id}"; there are ${[...this.#strata.keys()].join(', ')}`);
      made = stratum.size <= SMALL ? splitSmall(stratum) : splitLarge(stratum);
      this.#made.set(id, made);
    }
    return made;
  }

  /**
   * The side a problem stands on, by its identity alone.
   * @throws RangeError for a stratum that does not exist.
   */
  of(problem: Problem): Split {
    return this.#stratum(problem.stratum).of(problem.identity);
  }

  /** One problem of each held-out identity, at most {@link HELD_OUT} of every stratum, stratum by stratum. */
  heldOut(strata: readonly Stratum[], side: HeldOut): Problem[] {
    return strata.flatMap((stratum) => this.#stratum(stratum.id).heldOut[side]);
  }
}
