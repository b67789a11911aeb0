/** Files of pretrained models by hand: a tiny Llama, its tokenizer, and writers for GGUF and safetensors. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export interface Stored {
  name: string;
  shape: number[];
  /** A type's name and the stored bytes. */
  type: string;
  bytes: Uint8Array;
}

export const f32 = (name: string, shape: number[], values: ArrayLike<number>): Stored => ({
  ...{ name, shape, type: 'F32' },
  bytes: new Uint8Array(Float32Array.from(values).buffer),
});
/** The upper halves of the float32: exact where the lower ones are zero. */
export const bf16 = (name: string, shape: number[], values: ArrayLike<number>): Stored => {
  const words = new Uint32Array(Float32Array.from(values).buffer);
  return { name, shape, type: 'BF16', bytes: new Uint8Array(Uint16Array.from(words, (word) => word >>> 16).buffer) };
};

export function safetensors(file: string, tensors: readonly Stored[]): void {
  let at = 0;
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  for (const { name, shape, type, bytes } of tensors)
    header[name] = { dtype: type, shape, data_offsets: [at, (at += bytes.length)] };
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(file, Buffer.concat([length, json, ...tensors.map(({ bytes }) => bytes)]));
}

const GGML: Record<string, number> = { F32: 0, F16: 1, Q4_0: 2, Q4_1: 3, Q8_0: 8, Q6_K: 14, BF16: 30 };
export type Meta = Record<string, string | number | boolean | string[] | number[]>;

const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer);
const u64 = (value: number) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
const text = (value: string) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);

function meta(value: Meta[string]): Buffer[] {
  if (Array.isArray(value)) {
    const strings = typeof value[0] === 'string';
    const items = value.map((item) => (typeof item === 'string' ? text(item) : u32(item)));
    return [u32(9), u32(strings ? 8 : 4), u64(value.length), ...items];
  }
  if (typeof value === 'string') return [u32(8), text(value)];
  if (typeof value === 'boolean') return [u32(7), Buffer.from([Number(value)])];
  // Whole numbers are counts; the others float32, as llama.cpp writes them.
  return Number.isInteger(value)
    ? [u32(4), u32(value)]
    : [u32(6), Buffer.from(new Uint8Array(Float32Array.of(value).buffer))];
}

export function gguf(file: string, metadata: Meta, tensors: readonly Stored[], version = 3): void {
  const parts: Buffer[] = [Buffer.from('GGUF'), u32(version), u64(tensors.length), u64(Object.keys(metadata).length)];
  for (const [key, value] of Object.entries(metadata)) parts.push(text(key), ...meta(value));
  const padded = (size: number) => Math.ceil(size / 32) * 32;
  let at = 0;
  for (const { name, shape, type, bytes } of tensors) {
    parts.push(text(name), u32(shape.length), ...[...shape].reverse().map(u64), u32(GGML[type]!), u64(at));
    at += padded(bytes.length);
  }
  const header = Buffer.concat(parts);
  const whole = Buffer.alloc(padded(header.length) + at);
  header.copy(whole);
  at = padded(header.length);
  for (const { bytes } of tensors) {
    whole.set(bytes, at);
    at += padded(bytes.length);
  }
  writeFileSync(file, whole);
}

/** The characters that stand for bytes in a byte-level BPE, by byte (GPT-2's `bytes_to_unicode`). */
const CHARACTERS: string[] = [];
for (let byte = 0, spare = 256; byte < 256; byte++) {
  const own = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  CHARACTERS[byte] = String.fromCharCode(own ? byte : spare++);
}
/** id = byte; then two merges and three special tokens. */
export const PIECES = [...CHARACTERS, 'he', 'Ġt', '<|begin|>', '<|end|>', '<|im_end|>'];
export const MERGES = ['h e', 'Ġ t'];
const special = (id: number) => ({
  id,
  content: PIECES[id],
  special: true,
  single_word: false,
  normalized: false,
  lstrip: false,
  rstrip: false,
});

export const tokenizerJson = {
  version: '1.0',
  normalizer: null,
  added_tokens: [258, 259, 260].map(special),
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  post_processor: {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<|begin|>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [],
    special_tokens: { '<|begin|>': { id: '<|begin|>', ids: [258], tokens: ['<|begin|>'] } },
  },
  decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
  model: {
    ...{ type: 'BPE', unk_token: null, byte_fallback: false, ignore_merges: false },
    vocab: Object.fromEntries(PIECES.slice(0, 258).map((piece, id) => [piece, id])),
    merges: MERGES,
  },
};

export const llamaConfig = {
  ...{ model_type: 'llama', architectures: ['LlamaForCausalLM'], vocab_size: 264, hidden_size: 32 },
  ...{ num_hidden_layers: 1, num_attention_heads: 4, num_key_value_heads: 2, intermediate_size: 64 },
  ...{ max_position_embeddings: 128, rms_norm_eps: 1e-5, rope_theta: 10_000, hidden_act: 'silu' },
  ...{ tie_word_embeddings: true, bos_token_id: 258, eos_token_id: 259, rope_scaling: null },
};

/** Small numbers that bfloat16 and float16 hold exactly, others in each tensor. */
const values = (size: number, from: number) =>
  Float32Array.from({ length: size }, (_, i) => (((i * 7 + from * 13) % 64) - 32) / 16);

export function llamaTensors(): { name: string; shape: number[]; values: Float32Array }[] {
  const layer = 'model.layers.0.';
  const shapes: [string, ...number[]][] = [
    ['model.embed_tokens.weight', 264, 32],
    [`${layer}input_layernorm.weight`, 32],
    [`${layer}self_attn.q_proj.weight`, 32, 32],
    [`${layer}self_attn.k_proj.weight`, 16, 32],
    [`${layer}self_attn.v_proj.weight`, 16, 32],
    [`${layer}self_attn.o_proj.weight`, 32, 32],
    [`${layer}post_attention_layernorm.weight`, 32],
    [`${layer}mlp.gate_proj.weight`, 64, 32],
    [`${layer}mlp.up_proj.weight`, 64, 32],
    [`${layer}mlp.down_proj.weight`, 32, 64],
    ['model.norm.weight', 32],
  ];
  return shapes.map(([name, ...shape], n) => ({
    name,
    shape,
    values: values(
      shape.reduce((a, b) => a * b, 1),
      n,
    ),
  }));
}

export interface FolderOptions {
  config?: Record<string, unknown>;
  tensors?: Stored[];
  /** null: no tokenizer.json. */
  tokenizer?: object | null;
}

/** A model folder as save_pretrained writes it. */
export function modelFolderAt(
  folder: string,
  { config = {}, tensors, tokenizer = tokenizerJson }: FolderOptions = {},
): string {
  mkdirSync(folder, { recursive: true });
  const json = (name: string, value: unknown) => writeFileSync(path.join(folder, name), JSON.stringify(value));
  json('config.json', { ...llamaConfig, ...config });
  if (tokenizer !== null) json('tokenizer.json', tokenizer);
  json('tokenizer_config.json', {
    eos_token: '<|im_end|>',
    pad_token: { content: '<|end|>' },
    chat_template: '{{ messages }}',
  });
  json('generation_config.json', { eos_token_id: [260, 259] });
  safetensors(
    path.join(folder, 'model.safetensors'),
    tensors ?? llamaTensors().map((t) => f32(t.name, t.shape, t.values)),
  );
  return folder;
}
