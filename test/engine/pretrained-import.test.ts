import { mkdtempSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { importPretrained } from '../../engine/tfjs/pretrained/import.ts';
import { readCheckpoint } from '../../engine/tfjs/safetensors.ts';
import {
  bf16,
  f32,
  gguf,
  llamaTensors,
  MERGES,
  modelFolderAt,
  PIECES,
  safetensors,
  tokenizerJson,
} from './pretrained-files.ts';
import type { FolderOptions, Meta, Stored } from './pretrained-files.ts';

const root = mkdtempSync(path.join(os.tmpdir(), 'pretrained-'));
afterAll(() => rmSync(root, { recursive: true }));
let count = 0;
const fresh = (name = '') => path.join(root, `${count++}${name}`);
const folder = (options?: FolderOptions) => modelFolderAt(fresh(), options);
const load = async (source: string) => {
  const output = fresh('.safetensors');
  const { weightsDigest } = await importPretrained(source, output);
  return { ...(await readCheckpoint(output)), weightsDigest };
};
const refusal = (source: string) =>
  importPretrained(source, fresh('.safetensors')).then(
    () => 'imported',
    (error: Error) => error.message.replaceAll(source, 'MODEL'),
  );
const stored = (as: typeof f32): Stored[] => llamaTensors().map(({ name, shape, values }) => as(name, shape, values));

const metadata: Meta = {
  ...{ 'general.architecture': 'llama', 'llama.block_count': 1, 'llama.context_length': 128 },
  ...{ 'llama.embedding_length': 32, 'llama.feed_forward_length': 64, 'llama.attention.head_count': 4 },
  ...{ 'llama.attention.head_count_kv': 2, 'llama.rope.dimension_count': 8 },
  ...{ 'llama.attention.layer_norm_rms_epsilon': 1e-5, 'tokenizer.ggml.model': 'gpt2', 'tokenizer.ggml.pre': 'gpt-2' },
  ...{ 'tokenizer.ggml.tokens': [...PIECES, '[PAD261]'], 'tokenizer.ggml.merges': MERGES },
  'tokenizer.ggml.token_type': [...PIECES.map((_, id) => (id < 258 ? 1 : 3)), 5],
  ...{ 'tokenizer.ggml.eos_token_id': 260, 'tokenizer.ggml.bos_token_id': 258, 'tokenizer.ggml.add_bos_token': true },
};
const GGUF_OF: [RegExp, string][] = [
  [/^model\.embed_tokens/, 'token_embd'],
  [/^model\.layers\.0\./, 'blk.0.'],
  [/input_layernorm/, 'attn_norm'],
  [/post_attention_layernorm/, 'ffn_norm'],
  [/self_attn\.o_proj/, 'attn_output'],
  [/self_attn\.(.)_proj/, 'attn_$1'],
  [/mlp\.(\w+)_proj/, 'ffn_$1'],
  [/^model\.norm/, 'output_norm'],
];
/** Rows of q and k in llama.cpp's order, by its converter's own formula: reshape (heads, 2, half, in), swap 1 and 2. */
const ggufTensors = (): Stored[] =>
  llamaTensors().map(({ name, shape, values }) => {
    let data = values;
    if (/[qk]_proj/.test(name)) {
      data = new Float32Array(values.length);
      for (let head = 0, to = 0; head < shape[0]! / 8; head++)
        for (let i = 0; i < 4; i++)
          for (let side = 0; side < 2; side++, to++) {
            const from = head * 8 + side * 4 + i;
            data.set(values.subarray(from * 32, (from + 1) * 32), to * 32);
          }
    }
    return f32(
      GGUF_OF.reduce((text, [from, to]) => text.replace(from, to), name),
      shape,
      data,
    );
  });
const ggufFile = (more: Meta = {}, tensors = ggufTensors(), version = 3) => {
  const file = fresh('.gguf');
  gguf(file, { ...metadata, ...more }, tensors, version);
  return file;
};

describe('a model folder', () => {
  it('becomes a checkpoint with the same numbers, its shape and its tokenizer', async () => {
    const { config, tokenizer, tensors } = await load(folder());
    expect(config).toEqual({
      ...{ vocabSize: 264, dModel: 32, layers: 1, heads: 4, kvHeads: 2, dFF: 64, activation: 'swiglu', context: 128 },
      ...{ ropeTheta: 10_000, normEpsilon: 1e-5, tiedEmbeddings: true },
    });
    const { tokenizer: text, ...words } = tokenizer as { tokenizer: string };
    expect(JSON.parse(text)).toEqual(tokenizerJson);
    expect(words).toEqual({
      ...{
        kind: 'huggingface',
        size: 261,
        pad: 259,
        end: 260,
        ends: [259],
        begin: 258,
        chatTemplate: '{{ messages }}',
      },
    });
    for (const { name, values } of llamaTensors()) expect(tensors.get(name)!.data, name).toEqual(values);
  });

  it('gives the same weights in float32, in bfloat16, in shards, without its head, and as GGUF of either version', async () => {
    const shards = folder();
    const [first, ...rest] = stored(f32) as [Stored, ...Stored[]];
    rmSync(path.join(shards, 'model.safetensors'));
    const names = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
    safetensors(path.join(shards, names[0]!), [first]);
    safetensors(path.join(shards, names[1]!), rest);
    const map = Object.fromEntries([[first.name, names[0]], ...rest.map(({ name }) => [name, names[1]])]);
    writeFileSync(path.join(shards, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }));
    const body = stored(f32).map((tensor) => ({ ...tensor, name: tensor.name.replace(/^model\./, '') }));
    const sources = [
      folder({ tensors: stored(bf16) }),
      shards,
      folder({ tensors: body }),
      ggufFile(),
      ggufFile({}, undefined, 2),
    ];
    const { weightsDigest } = await load(folder());
    for (const source of sources) expect((await load(source)).weightsDigest, source).toBe(weightsDigest);
  });

  it('may hold the tied head again, and masks', async () => {
    const head = f32('lm_head.weight', [264, 32], new Float32Array(264 * 32));
    const mask = f32('model.layers.0.self_attn.rotary_emb.inv_freq', [4], [1, 2, 3, 4]);
    expect((await load(folder({ tensors: [...stored(f32), head, mask] }))).tensors.size).toBe(11);
  });

  it.each<[string, FolderOptions, string]>([
    [
      'another family',
      { config: { model_type: 'mamba' } },
      'CheckpointInvalid: MODEL/config.json is of a "mamba" model; give one of gpt2, gptj, llama, mistral, qwen2, qwen3',
    ],
    [
      'an unknown key',
      { config: { attention_sinks: 3 } },
      'CheckpointInvalid: MODEL/config.json has attention_sinks = 3, which startrail does not know; give a model without it, or ask for its support',
    ],
    [
      'scaled positions',
      { config: { rope_scaling: { rope_type: 'llama3', factor: 8 } } },
      'has rope_scaling = {"rope_type":"llama3","factor":8}, where startrail reads none (plain rotary positions)',
    ],
    [
      'a window',
      { config: { model_type: 'mistral', sliding_window: 64 } },
      'has sliding_window = 64, where startrail reads none or at least the context of 128',
    ],
    ['a missing key', { config: { vocab_size: undefined } }, 'MODEL/config.json lacks vocab_size'],
    ['an activation', { config: { hidden_act: 'gelu' } }, 'has hidden_act = "gelu", where startrail reads silu, swish'],
    ['a missing tensor', { tensors: stored(f32).slice(1) }, 'MODEL lacks model.embed_tokens.weight'],
    [
      'another tensor',
      { tensors: [...stored(f32), f32('model.extra', [1], [1])] },
      'MODEL holds model.extra, which its config does not know',
    ],
    [
      'a wrong shape',
      { config: { intermediate_size: 96 } },
      'MODEL holds model.layers.0.mlp.gate_proj.weight as [64, 32] where its config needs [96, 32]',
    ],
    [
      'a wrong type',
      { tensors: [{ ...stored(f32)[0]!, type: 'F8_E4M3' }] },
      'holds model.embed_tokens.weight as F8_E4M3; convert it to one of F32, F16, BF16',
    ],
    [
      'no tokenizer',
      { tokenizer: null },
      'MODEL has no tokenizer: tokenizer.json is missing; save it with AutoTokenizer',
    ],
    [
      'a small vocabulary',
      { config: { vocab_size: 260 } },
      'the tokenizer has 261 pieces, the model a vocabulary of 260',
    ],
  ])('with %s is refused in one sentence', async (_, options, sentence) => {
    expect(await refusal(folder(options))).toContain(sentence);
  });

  it('that is torn, or none, is refused', async () => {
    const torn = folder();
    truncateSync(path.join(torn, 'model.safetensors'), 30_000);
    expect(await refusal(torn)).toMatch(
      /model\.safetensors is torn inside model\.\S+: 30000 of \d+ bytes; fetch it again/,
    );
    const pickled = folder();
    renameSync(path.join(pickled, 'model.safetensors'), path.join(pickled, 'pytorch_model.bin'));
    expect(await refusal(pickled)).toContain('has no weights: neither model.safetensors nor');
    expect(await refusal(root)).toBe(
      'CheckpointInvalid: MODEL is no model folder: it has no config.json; give the folder that save_pretrained wrote',
    );
    expect(await refusal(fresh())).toContain('does not exist');
  });
});

describe('a GGUF file', () => {
  it('has its tokenizer in its metadata, without the ids that pad the vocabulary', async () => {
    const { tokenizer } = await load(ggufFile());
    expect(tokenizer).toMatchObject({ size: 261, end: 260, pad: 260, begin: 258 });
    expect((JSON.parse((tokenizer as { tokenizer: string }).tokenizer) as typeof tokenizerJson).model.vocab).toEqual(
      Object.fromEntries(PIECES.map((piece, id) => [piece, id])),
    );
  });

  it.each<[string, Meta, string]>([
    [
      'another architecture',
      { 'general.architecture': 'bert' },
      'CheckpointInvalid: MODEL is of a "bert" model; give one of llama, qwen2, qwen3, gpt2',
    ],
    ['experts', { 'llama.expert_count': 8 }, 'MODEL has llama.expert_count = 8, which startrail does not know'],
    [
      'a turned part',
      { 'llama.rope.dimension_count': 4 },
      'MODEL has llama.rope.dimension_count = 4, which startrail does not know',
    ],
    [
      'another tokenizer',
      { 'tokenizer.ggml.model': 'llama' },
      'MODEL has a tokenizer of kind "llama"; give the model folder',
    ],
    [
      'another pre-tokenizer',
      { 'tokenizer.ggml.pre': 'tekken' },
      'the pre-tokenizer "tekken" (read: gpt-2, smollm, qwen2, llama-bpe)',
    ],
  ])('with %s is refused in one sentence', async (_, more, sentence) => {
    expect(await refusal(ggufFile(more))).toContain(sentence);
  });

  it('that is torn at any place, or none, is refused', async () => {
    const whole = readFileSync(ggufFile());
    for (const size of [2, 20, 300, 9_000, 20_000, whole.length - 200]) {
      const file = fresh('.gguf');
      writeFileSync(file, whole.subarray(0, size));
      expect(await refusal(file), String(size)).toMatch(/is torn inside|is no GGUF file/);
    }
    expect(await refusal(ggufFile({}, undefined, 1))).toContain('is GGUF version 1; convert it to version 3');
  });
});
