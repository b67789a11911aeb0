/**
 * A pretrained model's tokenizer, from the contents of its tokenizer.json.
 *
 *   const tokenizer = new PretrainedTokenizer(spec);
 *   tokenizer.encode('<|im_start|>user\n2+2=')   // special tokens in the text are read as such
 *   tokenizer.decode(ids)                        // without special tokens; characters split over ids are whole
 *
 * The work is done by @huggingface/tokenizers; where it parts from the Rust library that models are trained with, the
 * description is rewritten first (`faithful`) or a step replaced (`openLibrary`). Compared with that library on 10,000 lines: test/parity.
 */
import * as library from '@huggingface/tokenizers';
import type { HuggingFaceSpec } from '../../../schemas/checkpoint.ts';
import type { Tokenizer } from '../tokenizer.ts';

type Json = Record<string, unknown>;

/** What is used of the package, whose own types name files without their endings: TypeScript does not find them. */
interface Library {
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] };
  decode(ids: number[], options: { skip_special_tokens: boolean; clean_up_tokenization_spaces: boolean }): string;
  id_to_token(id: number): string | undefined;
  token_to_id(token: string): number | undefined;
  model: {
    tokens_to_ids: ReadonlyMap<string, number>;
    unk_token?: string | null;
    byte_fallback?: boolean;
    bpe?: Merge;
  };
}
type Merge = (word: string) => string[];
const { Tokenizer: LibraryTokenizer } = library as unknown as {
  Tokenizer: new (description: Json, config: Json) => Library;
};

export class PretrainedTokenizer implements Tokenizer {
  readonly #library: Library;
  readonly #ends: ReadonlySet<number>;
  readonly #silent: ReadonlySet<number>;
  readonly pad: number;
  readonly end: number;
  readonly size: number;
  readonly begin: readonly number[];

  constructor(spec: HuggingFaceSpec) {
    this.#library = openLibrary(spec.tokenizer);
    this.pad = spec.pad;
    this.end = spec.end;
    this.size = spec.size;
    this.begin = spec.begin === undefined ? [] : [spec.begin];
    this.#ends = new Set([spec.end, ...(spec.ends ?? [])]);
    this.#silent = new Set([...this.#ends, spec.pad]);
  }

  encode(text: string): number[] {
    return this.#library.encode(text, { add_special_tokens: false }).ids;
  }

  decode(ids: readonly number[]): string {
    // A model's last rows may stand for no token: vocabularies are padded to round numbers.
    const known = ids.filter((id) => !this.#silent.has(id) && this.#library.id_to_token(id) !== undefined);
    if (known.length === 0) return '';
    return this.#library.decode(known, { skip_special_tokens: true, clean_up_tokenization_spaces: false });
  }

  isEnd(id: number): boolean {
    return this.#ends.has(id);
  }
}

/** @throws Error or SyntaxError of the library where the description is none. */
export function openLibrary(tokenizer: string): Library {
  const description = JSON.parse(tokenizer) as Json;
  const opened = new LibraryTokenizer(
    { ...description, pre_tokenizer: faithful(description.pre_tokenizer as Json | null) },
    {},
  );
  const { model } = opened;
  if (model.bpe !== undefined && (model.unk_token ?? null) === null && model.byte_fallback !== true) {
    // A character that the vocabulary lacks is left out before its neighbours merge, not after.
    const merge = model.bpe.bind(model);
    const known = (character: string) => model.tokens_to_ids.has(character);
    model.bpe = (word) => merge(Array.from(word).filter(known).join(''));
  }
  return opened;
}

const BYTE_LEVEL = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;
const split = (regex: string): Json => ({
  type: 'Split',
  pattern: { Regex: regex },
  behavior: 'Isolated',
  invert: false,
});

/**
 * The same steps in a form that the library takes at its word: its `Digits` knows ASCII digits alone, and the expression of
 * its `ByteLevel` takes U+FEFF for white space and U+0085 for none; its `Split` translates both rightly.
 */
function faithful(step: Json | null): Json | null {
  if (step === null) return null;
  if (step.type === 'Sequence') return { ...step, pretokenizers: (step.pretokenizers as Json[]).map(faithful) };
  if (step.type === 'Digits') return split(step.individual_digits === true ? String.raw`\p{N}` : String.raw`\p{N}+`);
  if (step.type === 'ByteLevel' && step.use_regex !== false && step.add_prefix_space !== true)
    return { type: 'Sequence', pretokenizers: [split(BYTE_LEVEL), { ...step, use_regex: false }] };
  return step;
}
