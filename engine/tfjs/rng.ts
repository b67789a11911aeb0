/**
 * Counter-based random numbers: a pure function of a seed and some counters, with no state to save or to share.
 *
 *   uniform('000102030405060708090a0b0c0d0e0f', row, position)   // the same number in any process, in any order
 *
 * Threefry-4x32 with 20 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11): key = seed, counter =
 * the counters. Additions, rotations and xors on 32-bit integers only, so that every Node gives the same bits; for the
 * same reason there is no `normal` here: Math.cos and Math.log may differ between versions of V8.
 */
const ROTATIONS = [
  [10, 26],
  [11, 21],
  [13, 27],
  [23, 5],
  [6, 20],
  [17, 11],
  [25, 10],
  [18, 20],
] as const;
const PARITY = 0x1bd11bda;
const TWO_32 = 0x1_0000_0000;

/** One block of Threefry-4x32-20: `key` and `counter` are four 32-bit words each; gives four unsigned words. */
export function threefry(key: ArrayLike<number>, counter: ArrayLike<number>): Uint32Array {
  const schedule = [key[0]! | 0, key[1]! | 0, key[2]! | 0, key[3]! | 0, 0];
  schedule[4] = PARITY ^ schedule[0]! ^ schedule[1]! ^ schedule[2]! ^ schedule[3]!;
  let a = (counter[0]! + schedule[0]!) | 0;
  let b = (counter[1]! + schedule[1]!) | 0;
  let c = (counter[2]! + schedule[2]!) | 0;
  let d = (counter[3]! + schedule[3]!) | 0;
  for (let round = 0; round < 20; round++) {
    const [left, right] = ROTATIONS[round & 7]!;
    a = (a + b) | 0;
    b = ((b << left) | (b >>> (32 - left))) ^ a;
    c = (c + d) | 0;
    d = ((d << right) | (d >>> (32 - right))) ^ c;
    // The lanes b and d change places after every round.
    const swap = b;
    b = d;
    d = swap;
    if ((round & 3) === 3) {
      const injection = (round >> 2) + 1;
      a = (a + schedule[injection % 5]!) | 0;
      b = (b + schedule[(injection + 1) % 5]!) | 0;
      c = (c + schedule[(injection + 2) % 5]!) | 0;
      d = (d + schedule[(injection + 3) % 5]! + injection) | 0;
    }
  }
  return Uint32Array.of(a, b, c, d);
}

let parsedHex = '';
let parsedKey: Uint32Array = new Uint32Array(4);
function keyOf(seedHex: string): Uint32Array {
  if (seedHex === parsedHex) return parsedKey;
  if (!/^[0-9a-f]{32}$/.test(seedHex)) throw new RangeError(`seed "${seedHex}" is not 32 lower-case hex digits`);
  parsedKey = Uint32Array.from({ length: 4 }, (_, word) => parseInt(seedHex.slice(word * 8, word * 8 + 8), 16));
  parsedHex = seedHex;
  return parsedKey;
}

/**
 * A number in [0, 1) with 53 random bits, a pure function of its arguments.
 *
 * @param seedHex 32 lower-case hex digits.
 * @param counters any number of integers in [0, 2^32); (1) and (1, 0) give different numbers.
 * @throws RangeError for another seed or counter.
 */
export function uniform(seedHex: string, ...counters: number[]): number {
  let key: ArrayLike<number> = keyOf(seedHex);
  for (const counter of counters) {
    if (!Number.isInteger(counter) || counter < 0 || counter >= TWO_32) {
      throw new RangeError(`counter ${counter} is not an integer in [0, 2^32)`);
    }
  }
  // Three counters go into a block, the fourth word says how many counters are left; longer lists chain the blocks.
  let first = 0;
  for (; counters.length - first > 3; first += 3) {
    const left = counters.length - first;
    key = threefry(key, [counters[first]!, counters[first + 1]!, counters[first + 2]!, left]);
  }
  const left = counters.length - first;
  const block = threefry(key, [counters[first] ?? 0, counters[first + 1] ?? 0, counters[first + 2] ?? 0, left]);
  return ((block[0]! >>> 5) * 67_108_864 + (block[1]! >>> 6)) / 9_007_199_254_740_992;
}
