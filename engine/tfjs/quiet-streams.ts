/**
 * Where thoughts stand: behind a text of T tokens a stream for each of its last K positions, all in one row of L = T + K·S.
 *
 *   const streams = { time: 12, from: 4, steps: 7 };     // thoughts behind the tokens 4 … 11
 *   lengthOf(streams)                                    // 12 + 8 · 7
 *   placesOf(streams)[12 + 8]                            // 6: the second token of the thought behind token 4
 *
 * Token s of the thought at position j stands at j + 1 + s, and sees the text up to j and its own stream up to s: the diagonal mask of
 * Quiet-STaR (Zelikman et al., arXiv:2403.09629 §4.2, figure 3), by which the thoughts of all positions are made in one pass. Streams
 * are laid out step by step, so that the first steps of all thoughts are the beginning of a row.
 */

export interface Streams {
  /** T: tokens of the text, padding included. */
  time: number;
  /** The first position with a thought behind it. */
  from: number;
  /** S: tokens of a stream. */
  steps: number;
}

/** K: thoughts of a row. */
export const thoughtsOf = ({ time, from }: Streams): number => time - from;

/** L: tokens of a row with all its streams. */
export const lengthOf = (streams: Streams): number => streams.time + thoughtsOf(streams) * streams.steps;

/** Where in its row token `step` of thought `k` lies, the first behind position `from`. */
export const indexOf = (streams: Streams, k: number, step: number): number =>
  streams.time + step * thoughtsOf(streams) + k;

/** [L] the position in the text that each token of a row has. */
export function placesOf(streams: Streams): number[] {
  const { time, from, steps } = streams;
  const text = Array.from({ length: time }, (_, at) => at);
  const thoughts = Array.from({ length: thoughtsOf(streams) * steps }, (_, n) => {
    const [step, k] = [Math.floor(n / thoughtsOf(streams)), n % thoughtsOf(streams)];
    return from + k + 1 + step;
  });
  return [...text, ...thoughts];
}

/** [L, L]: 0 where a token (row) may look at another (column), else very negative. `window`: of the decoder, counted along a stream's own past. */
export function diagonalMask(streams: Streams, window = Infinity): Float32Array {
  const { time, from, steps } = streams;
  const length = lengthOf(streams);
  const mask = new Float32Array(length * length).fill(-1e9);
  /** The first position that one at `place` reads. */
  const firstOf = (place: number) => Math.max(0, place + 1 - window);
  for (let at = 0; at < time; at++) mask.fill(0, at * length + firstOf(at), at * length + at + 1);
  for (let k = 0; k < thoughtsOf(streams); k++) {
    for (let step = 0; step < steps; step++) {
      const row = indexOf(streams, k, step) * length;
      mask.fill(0, row + firstOf(from + k + 1 + step), row + from + k + 1);
      for (let seen = firstOf(step); seen <= step; seen++) mask[row + indexOf(streams, k, seen)] = 0;
    }
  }
  return mask;
}
