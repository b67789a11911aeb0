/**
 * A checkpoint as a GGUF file that llama.cpp serves: float32, with its tokenizer and chat template.
 *
 *   await exportGguf(await readCheckpoint('model.safetensors'), 'model.gguf');
 *
 * What it says of the model is what gguf-model.ts reads: the file imports as the same checkpoint. Same checkpoint ⇒ same bytes;
 * the file appears whole or not at all. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
 * Limits: Llama's architecture; byte-level BPE with the pre-tokenizers of gguf-model.ts; the first two of the ids that end a text.
 */
import { open, rename } from 'node:fs/promises';
import type { DecoderConfig, TokenizerSpec } from '../../../schemas/checkpoint.ts';
import { EngineError } from '../../engine.ts';
import type { Checkpoint } from '../safetensors.ts';
import type { Json } from './config.ts';
import { CONTROL, NORMAL, PRE_TOKENIZERS, UNUSED, USER_DEFINED } from './gguf-model.ts';
import { GGUF_NAMES, inGguf, placeOf } from './names.ts';

const ALIGNMENT = 32;
const F32 = 0;

/** What Llama's architecture has words for. */
const LLAMA = ['vocabSize', 'dModel', 'layers', 'heads', 'kvHeads', 'dFF', 'context', 'ropeTheta', 'normEpsilon'];

function onlyLlama({ activation, tiedEmbeddings: _, ...config }: DecoderConfig): void {
  const others = Object.keys(config).filter((key) => !LLAMA.includes(key));
  const strange = [...(activation === 'swiglu' ? [] : [`activation ${activation}`]), ...others];
  if (strange.length > 0)
    throw new EngineError(
      'CheckpointInvalid',
      `a model with ${strange.join(', ')} has no form that llama.cpp loads as Llama; give model.activation swiglu, or train and sample it with the tfjs engine`,
    );
}

/** @throws EngineError CheckpointInvalid, naming what llama.cpp has no word for. */
export async function exportGguf({ config, tokenizer, tensors }: Checkpoint, file: string): Promise<void> {
  onlyLlama(config);
  const metadata = [...architecture(config), ...vocabulary(tokenizer, config.vocabSize)];
  const headWidth = config.dModel / config.heads;
  const placed = Array.from(tensors.values(), (tensor) => ({
    ...tensor,
    place: placeOf(GGUF_NAMES.llama, tensor.name),
  }));
  let end = 0;
  const infos = placed.map(({ place, shape, data }) => {
    const begin = end;
    end += padded(data.byteLength);
    return Buffer.concat([text(place.name), u32(shape.length), ...[...shape].reverse().map(u64), u32(F32), u64(begin)]);
  });
  const head = [Buffer.from('GGUF'), u32(3), u64(placed.length), u64(metadata.length), ...metadata, ...infos];
  const temporary = `${file}.${process.pid}.part`;
  const handle = await open(temporary, 'w');
  try {
    await handle.writeFile(toAlignment(Buffer.concat(head)));
    for (const { place, shape, data } of placed) {
      const { buffer, byteOffset, byteLength } = inGguf(place, data, shape, headWidth);
      await handle.writeFile(toAlignment(Buffer.from(buffer, byteOffset, byteLength)));
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
}

function architecture(config: DecoderConfig): Buffer[] {
  const { vocabSize, dModel, layers, heads, kvHeads, dFF, context, ropeTheta, normEpsilon } = config;
  const count = (key: string, value: number) => pair(`llama.${key}`, U32, u32(value));
  return [
    string('general.architecture', 'llama'),
    count('vocab_size', vocabSize),
    count('context_length', context),
    count('embedding_length', dModel),
    count('block_count', layers),
    count('feed_forward_length', dFF),
    count('attention.head_count', heads),
    count('attention.head_count_kv', kvHeads ?? heads),
    count('rope.dimension_count', dModel / heads),
    pair('llama.rope.freq_base', SINGLE, f32(ropeTheta)),
    pair('llama.attention.layer_norm_rms_epsilon', SINGLE, f32(normEpsilon)),
    pair('general.file_type', U32, u32(F32)),
  ];
}

interface TokenizerJson {
  normalizer: unknown;
  pre_tokenizer: unknown;
  added_tokens?: { id: number; content: string; special: boolean }[];
  model: { type?: string; vocab: Record<string, number>; merges: (string | [string, string])[] };
}

function vocabulary(spec: TokenizerSpec, size: number): Buffer[] {
  const refused = (what: string, cure: string) =>
    new EngineError('CheckpointInvalid', `a model with ${what} has no form that llama.cpp loads; ${cure}`);
  if (spec.kind === 'pieces')
    throw refused(
      'a list of pieces for its tokenizer',
      'start from a pretrained model, or sample with the tfjs engine',
    );
  const json = JSON.parse(spec.tokenizer) as TokenizerJson;
  const pre = Object.entries(PRE_TOKENIZERS).find(([, start]) => beginning(start) === beginning(json))?.[0];
  if (pre === undefined || json.model.type !== 'BPE')
    throw refused(
      `a tokenizer other than byte-level BPE as ${Object.keys(PRE_TOKENIZERS).join(', ')} have it`,
      'export the folder and convert it with convert_hf_to_gguf.py of llama.cpp',
    );
  const tokens = Array.from({ length: size }, (_, id) => `[UNUSED${id}]`);
  const kinds = new Array<number>(size).fill(UNUSED);
  for (const [piece, id] of Object.entries(json.model.vocab)) [tokens[id], kinds[id]] = [piece, NORMAL];
  for (const { id, content, special } of json.added_tokens ?? [])
    [tokens[id], kinds[id]] = [content, special ? CONTROL : USER_DEFINED];
  const id = (key: string, value: number) => pair(`tokenizer.ggml.${key}_token_id`, U32, u32(value));
  const [more] = spec.ends ?? [];
  return [
    string('tokenizer.ggml.model', 'gpt2'),
    string('tokenizer.ggml.pre', pre),
    list('tokenizer.ggml.tokens', TEXT, tokens.map(text)),
    list('tokenizer.ggml.token_type', I32, kinds.map(u32)),
    list(
      'tokenizer.ggml.merges',
      TEXT,
      json.model.merges.map((merge) => text(typeof merge === 'string' ? merge : merge.join(' '))),
    ),
    // Where none is named, llama.cpp takes some token of GPT-2's.
    id('bos', spec.begin ?? spec.end),
    id('eos', spec.end),
    id('padding', spec.pad),
    ...(more === undefined ? [] : [id('eot', more)]),
    pair('tokenizer.ggml.add_bos_token', BOOL, Buffer.from([Number(spec.begin !== undefined)])),
    ...(spec.chatTemplate === undefined ? [] : [string('tokenizer.chat_template', spec.chatTemplate)]),
  ];
}

/** What decides how text is cut before the merges; offsets do not. */
const beginning = ({ normalizer, pre_tokenizer }: Json | TokenizerJson): string =>
  JSON.stringify([normalizer ?? null, pre_tokenizer], (key, value: unknown) => {
    if (key === 'trim_offsets') return undefined;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  });

/** GGUF's numbers for kinds of values. */
const [U32, I32, SINGLE, BOOL, TEXT, ARRAY] = [4, 5, 6, 7, 8, 9] as const;

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const u64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};
const f32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
};
const text = (value: string): Buffer => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
const pair = (key: string, kind: number, value: Buffer): Buffer => Buffer.concat([text(key), u32(kind), value]);
const string = (key: string, value: string): Buffer => pair(key, TEXT, text(value));
const list = (key: string, kind: number, values: Buffer[]): Buffer =>
  pair(key, ARRAY, Buffer.concat([u32(kind), u64(values.length), ...values]));

const padded = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
const toAlignment = (bytes: Buffer): Buffer => {
  const rest = padded(bytes.length) - bytes.length;
  return rest === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(rest)]);
};
