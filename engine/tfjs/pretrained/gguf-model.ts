/**
 * What a GGUF file's metadata say of the model, in the words of the Hub: a config.json and a tokenizer.json.
 *
 *   configOf(file, metadata, shapes)      // { model_type: 'llama', hidden_size: 576, … }
 *   tokenizerOf(file, metadata)           // TokenizerSpec
 *
 * Limits: byte-level BPE with the pre-tokenizers of GPT-2, SmolLM, Qwen2 and Llama 3.
 */
import type { HuggingFaceSpec } from '../../../schemas/checkpoint.ts';
import type { Json } from './config.ts';
import type { GgufValue } from './gguf.ts';
import { refused } from './source.ts';
import { tokensIn } from './tokenizer-files.ts';

type Metadata = ReadonlyMap<string, GgufValue>;

const LLAMA: Record<string, string> = {
  block_count: 'num_hidden_layers',
  context_length: 'max_position_embeddings',
  embedding_length: 'hidden_size',
  feed_forward_length: 'intermediate_size',
  'attention.head_count': 'num_attention_heads',
  'attention.head_count_kv': 'num_key_value_heads',
  'attention.key_length': 'head_dim',
  'attention.layer_norm_rms_epsilon': 'rms_norm_eps',
  'attention.sliding_window': 'sliding_window',
  'rope.freq_base': 'rope_theta',
  vocab_size: 'vocab_size',
};
const GPT2: Record<string, string> = {
  block_count: 'n_layer',
  context_length: 'n_positions',
  embedding_length: 'n_embd',
  feed_forward_length: 'n_inner',
  'attention.head_count': 'n_head',
  'attention.layer_norm_epsilon': 'layer_norm_epsilon',
};
const KEYS: Record<string, Record<string, string>> = { llama: LLAMA, qwen2: LLAMA, qwen3: LLAMA, gpt2: GPT2 };

/** The config.json that the metadata stand for; keys of the architecture without a meaning here keep their names. */
export function configOf(file: string, metadata: Metadata, shapes: ReadonlyMap<string, readonly number[]>): Json {
  const architecture = String(metadata.get('general.architecture'));
  const keys = KEYS[architecture];
  if (keys === undefined)
    throw refused(file, `is of a ${JSON.stringify(architecture)} model`, `give one of ${Object.keys(KEYS).join(', ')}`);
  const config: Json = { model_type: architecture };
  for (const [full, value] of metadata) {
    if (!full.startsWith(`${architecture}.`)) continue;
    const key = full.slice(architecture.length + 1);
    config[keys[key] ?? full] = value;
  }
  const width = config.head_dim ?? Number(config.hidden_size) / Number(config.num_attention_heads);
  // Said again by other keys: heads as wide as they turn, and values as wide as keys.
  for (const same of ['rope.dimension_count', 'attention.value_length'])
    if (config[`${architecture}.${same}`] === width) delete config[`${architecture}.${same}`];
  if (config[`${architecture}.rope.scaling.type`] === 'none') delete config[`${architecture}.rope.scaling.type`];
  // What the Hub says by flags, GGUF says by the presence of tensors.
  config.tie_word_embeddings = !shapes.has('output.weight');
  if (architecture === 'llama' && shapes.has('blk.0.attn_q.bias')) config.attention_bias = true;
  config.vocab_size ??= shapes.get('token_embd.weight')?.[0];
  return config;
}

const split = (regex: string, more: Json = {}): Json => ({
  normalizer: null,
  pre_tokenizer: {
    type: 'Sequence',
    pretokenizers: [
      { type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false },
      { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
    ],
  },
  ...more,
});
const WORDS = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|`;
const REST = String.raw`| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const BYTE_LEVEL: Json = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };

/** By `tokenizer.ggml.pre`: how the tokenizer.json of such a model begins (llama.cpp, llama-vocab.cpp). */
export const PRE_TOKENIZERS: Record<string, Json> = {
  'gpt-2': { normalizer: null, pre_tokenizer: BYTE_LEVEL },
  smollm: {
    normalizer: null,
    pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, BYTE_LEVEL] },
  },
  qwen2: split(String.raw`${WORDS}\p{N}${REST}`, { normalizer: { type: 'NFC' } }),
  'llama-bpe': split(String.raw`${WORDS}\p{N}{1,3}${REST}`),
};

/** ggml's kinds of tokens. */
export const [NORMAL, CONTROL, USER_DEFINED, UNUSED] = [1, 3, 4, 5] as const;

/** @throws EngineError CheckpointInvalid: no tokenizer, or one of a kind that is not read. */
export function tokenizerOf(file: string, metadata: Metadata): HuggingFaceSpec {
  const get = (key: string) => metadata.get(`tokenizer.ggml.${key}`);
  const id = (key: string) => get(`${key}_token_id`) as number | undefined;
  const [tokens, merges] = [get('tokens') as string[] | undefined, get('merges') as string[] | undefined];
  if (tokens === undefined) throw refused(file, 'holds no tokenizer', 'give a file with one, or a model folder');
  const [model, pre] = [get('model'), String(get('pre') ?? 'gpt-2')];
  if (model !== 'gpt2' || merges === undefined)
    throw refused(
      file,
      `has a tokenizer of kind ${JSON.stringify(model)}`,
      'give the model folder from the Hub instead',
    );
  const start = PRE_TOKENIZERS[pre];
  if (start === undefined) {
    const known = Object.keys(PRE_TOKENIZERS).join(', ');
    throw refused(
      file,
      `has a tokenizer with the pre-tokenizer ${JSON.stringify(pre)} (read: ${known})`,
      'give the model folder from the Hub instead',
    );
  }
  const end = id('eos');
  if (end === undefined) throw refused(file, 'names no token that ends a text (tokenizer.ggml.eos_token_id)');

  const kinds = (get('token_type') ?? []) as number[];
  const used = [...tokens.entries()].filter(([token]) => kinds[token] !== UNUSED);
  const added = used.filter(([token]) => kinds[token] === CONTROL || kinds[token] === USER_DEFINED);
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  const description = {
    version: '1.0',
    added_tokens: added.map(([token, content]) => ({
      ...{ id: token, content, ...flags, special: kinds[token] === CONTROL },
    })),
    ...start,
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      ...{ type: 'BPE', dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null },
      ...{ fuse_unk: false, byte_fallback: false, ignore_merges: pre === 'llama-bpe' },
      vocab: Object.fromEntries(used.map(([token, piece]) => [piece, token])),
      merges,
    },
  };
  const [bos, more, template] = [id('bos'), id('eot'), metadata.get('tokenizer.chat_template')];
  const inGguf: Record<string, string> = { unk: 'unknown', sep: 'seperator', pad: 'padding' };
  const spoken = (name: string) => {
    const kind = name.replace('_token', '');
    return tokens[id(inGguf[kind] ?? kind) ?? -1];
  };
  const begins = get('add_bos_token') ?? pre === 'llama-bpe';
  return {
    kind: 'huggingface',
    tokenizer: JSON.stringify(description),
    size: used.at(-1)![0] + 1,
    ...{ pad: id('padding') ?? end, end },
    ...(more !== undefined && more !== end && { ends: [more] }),
    ...(begins === true && bos !== undefined && { begin: bos }),
    ...(typeof template === 'string' && { chatTemplate: template, ...tokensIn(template, spoken) }),
  };
}
