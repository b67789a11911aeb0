/**
 * Text to ids and back.
 *
 *   const tokenizer = openTokenizer(model.tokenizer);
 *   tokenizer.decode(tokenizer.encode('12+3='))      // '12+3='
 *
 * Two kinds: a fixed list of pieces, here, and a pretrained model's own (pretrained/tokenizer.ts).
 */
import type { PiecesSpec, TokenizerSpec } from '../../schemas/checkpoint.ts';
import { EngineError } from '../engine.ts';
import { PretrainedTokenizer } from './pretrained/tokenizer.ts';

export interface Tokenizer {
  readonly pad: number;
  /** What a finished text ends with. */
  readonly end: number;
  /** What stands before every prompt; mostly nothing. */
  readonly begin: readonly number[];
  /** Count of ids, pad and end included. */
  readonly size: number;
  /**
   * The ids of `text`, without begin and end.
   * @throws EngineError `TextNotInVocabulary`.
   */
  encode(text: string): number[];
  /** The text of `ids`; pad, end and ids that stand for no text print nothing. */
  decode(ids: readonly number[]): string;
  /** Whether a text is finished with `id`: `end`, or another id that the model ends with. */
  isEnd(id: number): boolean;
}

export const openTokenizer = (spec: TokenizerSpec): Tokenizer =>
  spec.kind === 'pieces' ? new PieceTokenizer(spec) : new PretrainedTokenizer(spec);

/**
 * A fixed list of pieces, matched longest first.
 *
 * Example: pieces `['<pad>', '<end>', '1', '12']` read `121` as [3, 2]. The pieces at `pad` and `end` stand for ids outside
 * the text: they are never matched in it and never printed. Limits: no merges and no normalisation.
 */
export class PieceTokenizer implements Tokenizer {
  /** id of each piece that may stand in text. */
  readonly #ids = new Map<string, number>();
  /** Lengths (UTF-16 units) that occur, longest first, by the piece's first unit: most texts need one look-up a token. */
  readonly #lengths = new Map<string, number[]>();
  readonly #pieces: readonly string[];
  readonly pad: number;
  readonly end: number;
  readonly begin = [];
  readonly size: number;

  constructor(spec: PiecesSpec) {
    this.#pieces = spec.pieces;
    this.pad = spec.pad;
    this.end = spec.end;
    this.size = spec.pieces.length;
    for (const [id, piece] of spec.pieces.entries()) {
      // A piece listed twice keeps its first id, so that encode is a function of the text.
      if (id === spec.pad || id === spec.end || this.#ids.has(piece)) continue;
      this.#ids.set(piece, id);
      const first = piece.charAt(0);
      const lengths = this.#lengths.get(first) ?? [];
      if (!lengths.includes(piece.length)) lengths.push(piece.length);
      this.#lengths.set(
        first,
        lengths.sort((a, b) => b - a),
      );
    }
  }

  /** @throws EngineError `TextNotInVocabulary` at the first character that no piece covers. */
  encode(text: string): number[] {
    const ids: number[] = [];
    let at = 0;
    next: while (at < text.length) {
      for (const length of this.#lengths.get(text.charAt(at)) ?? []) {
        const id = this.#ids.get(text.slice(at, at + length));
        if (id === undefined) continue;
        ids.push(id);
        at += length;
        continue next;
      }
      throw this.#uncovered(text, at);
    }
    return ids;
  }

  decode(ids: readonly number[]): string {
    let text = '';
    for (const id of ids) if (id !== this.pad && id !== this.end) text += this.#pieces[id] ?? '';
    return text;
  }

  isEnd(id: number): boolean {
    return id === this.end;
  }

  #uncovered(text: string, at: number): EngineError {
    const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
    const code = (text.codePointAt(at) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    const before = text.slice(Math.max(0, at - 20), at);
    return new EngineError(
      'TextNotInVocabulary',
      `${JSON.stringify(character)} (U+${code}) at position ${at}, after ${JSON.stringify(before)}, is covered by none of the ` +
        `tokenizer's ${this.#ids.size} pieces; add it to the task's alphabet and train a new base, or keep it out of the text.`,
    );
  }
}
