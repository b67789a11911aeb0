/**
 * A seeded permutation of 0 … size−1 that is computed, not stored: sampling without replacement from a set of any size.
 *
 *   const order = permutation(8_100_000_000, 'seed');
 *   order(0), order(1), …     // every number once, in an order that only the seed decides
 *
 * A Feistel network over the next power of two; results beyond `size` are fed in again until they fall inside (cycle
 * walking: Black & Rogaway, "Ciphers with arbitrary finite domains", 2002). Integer operations only, so that every Node
 * gives the same order.
 *
 * Limits: made for shuffling, not for secrecy; `size` up to 2^53.
 */
import { createHash } from 'node:crypto';

/** murmur3's finalizer: every bit of a 32-bit word depends on all the others. */
function mix(word: number): number {
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return word ^ (word >>> 16);
}

/**
 * A bijection of [0, size) onto itself; a pure function of its arguments.
 *
 * @param seed any text.
 * @throws RangeError if `size` is not an integer in [0, 2^53].
 */
export function permutation(size: number, seed: string): (index: number) => number {
  if (!Number.isInteger(size) || size < 0 || size > 2 ** 53)
    throw new RangeError(`size ${size} is not an integer in [0, 2^53]`);
  const digest = createHash('sha256').update(seed).digest();
  const keys = Array.from({ length: 8 }, (_, round) => digest.readInt32BE(round * 4));
  let bits = 2;
  while (2 ** bits < size) bits++;
  const lowBits = Math.ceil(bits / 2);
  const lowSize = 2 ** lowBits;
  const lowMask = lowSize - 1;
  const highMask = 2 ** (bits - lowBits) - 1;
  return (index) => {
    if (!(index >= 0 && index < size)) throw new RangeError(`index ${index} is not in [0, ${size})`);
    let value = index;
    do {
      // Numbers above 2^31 are cut by division: bit operations would lose the upper half.
      let high = Math.floor(value / lowSize);
      let low = value % lowSize;
      for (let round = 0; round < 8; round += 2) {
        high ^= mix(low ^ keys[round]!) & highMask;
        low ^= mix(high ^ keys[round + 1]!) & lowMask;
      }
      value = high * lowSize + low;
    } while (value >= size);
    return value;
  };
}
