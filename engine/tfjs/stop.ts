/**
 * Ends a completion by what it says: a base model that has answered goes on to the next question of its own.
 *
 *   const stops = new StopTexts(tokenizer, ['\n\n']);
 *   stops.reached(ids)      // after each token: does the text hold a stop by now?
 *   stops.cut(ids)          // { text: '3 + 4 = 7.', tokenIds: [ … , end] }
 *
 * What is left is as if the model had ended there, so that it learns to: its own tokens up to the stop, and the end token. Where
 * a token holds the stop's first character and text before it, the text that is left is tokenised anew.
 */
import type { Tokenizer } from './tokenizer.ts';

type Reading = Pick<Tokenizer, 'encode' | 'decode' | 'end'>;

/** A character may be spread over this many tokens. */
const TOKENS_OF_A_CHARACTER = 4;

export class StopTexts {
  readonly #tokenizer: Reading;
  readonly #stops: readonly string[];
  /** Tokens from the end in which a stop lies that the last one completed: each of them adds a byte or more. */
  readonly #reach: number;

  constructor(tokenizer: Reading, stops: readonly string[]) {
    this.#tokenizer = tokenizer;
    this.#stops = stops;
    this.#reach = TOKENS_OF_A_CHARACTER + Math.max(0, ...stops.map((stop) => Buffer.byteLength(stop)));
  }

  /** Asked after each token, so the last tokens are enough to look at. */
  reached(ids: readonly number[]): boolean {
    if (this.#stops.length === 0) return false;
    const tail = this.#tokenizer.decode(ids.slice(-this.#reach));
    return this.#stops.some((stop) => tail.includes(stop));
  }

  /** The completion up to the first stop; as it is where it holds none. */
  cut(ids: readonly number[]): { tokenIds: number[]; text: string } {
    const whole = this.#tokenizer.decode(ids);
    const at = Math.min(...this.#stops.map((stop) => whole.indexOf(stop)).filter((found) => found >= 0));
    if (!Number.isFinite(at)) return { tokenIds: [...ids], text: whole };
    const text = whole.slice(0, at);
    for (let count = ids.length - 1; count >= 0; count--) {
      const kept = ids.slice(0, count);
      const said = this.#tokenizer.decode(kept);
      if (said === text) return { tokenIds: [...kept, this.#tokenizer.end], text };
      if (said.length < text.length) break;
    }
    return { tokenIds: [...this.#tokenizer.encode(text), this.#tokenizer.end], text };
  }
}
