/**
 * A stream of numbers in [0, 1) that a seed decides: 32-bit integer operations only, so that every machine draws the same. For
 * resampling and simulations; what a model samples is drawn by engine/tfjs/rng.ts.
 */
export function mulberry32(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
