/**
 * Where the tensors of a model that came from elsewhere stand: for each of ours, the name there and how it lies.
 *
 *   const place = placeOf(HUB_NAMES.gpt2, 'model.layers.3.self_attn.k_proj.weight');
 *   // { name: 'transformer.h.3.attn.c_attn.weight', transposed: true, third: 1 }
 *
 * One table for each format, read in both directions (`ours`, `theirs`). Names without an entry are the same on both sides (the Hub's Llama is ours).
 */

import type { NamedTensor } from '../safetensors.ts';

export interface Place {
  name: string;
  /** Stored [in, out]: GPT-2's Conv1D. */
  transposed?: true;
  /** One of three of the same size that lie one after another: 0 queries, 1 keys, 2 values. */
  third?: 0 | 1 | 2;
  /** Rows of a head in the order of llama.cpp: the two halves that turn together are neighbours. */
  interleaved?: true;
}

/** By our module; `N` stands for the layer. */
export type Names = Record<string, string | Place>;

const layer = (ours: Record<string, string | Place>, theirs: string): Names =>
  Object.fromEntries(
    Object.entries(ours).map(([module, place]) => [
      `model.layers.N.${module}`,
      typeof place === 'string' ? `${theirs}.${place}` : { ...place, name: `${theirs}.${place.name}` },
    ]),
  );
const thirds = (name: string, more: Partial<Place> = {}): Record<string, Place> => ({
  'self_attn.q_proj': { name, third: 0, ...more },
  'self_attn.k_proj': { name, third: 1, ...more },
  'self_attn.v_proj': { name, third: 2, ...more },
});
const conv = (name: string): Place => ({ name, transposed: true });

const GPT2: Names = {
  'model.embed_tokens': 'transformer.wte',
  'model.embed_positions': 'transformer.wpe',
  ...layer(
    {
      input_layernorm: 'ln_1',
      ...thirds('attn.c_attn', { transposed: true }),
      'self_attn.o_proj': conv('attn.c_proj'),
      post_attention_layernorm: 'ln_2',
      'mlp.up_proj': conv('mlp.c_fc'),
      'mlp.down_proj': conv('mlp.c_proj'),
    },
    'transformer.h.N',
  ),
  'model.norm': 'transformer.ln_f',
};

const GPTJ: Names = {
  'model.embed_tokens': 'transformer.wte',
  ...layer(
    {
      input_layernorm: 'ln_1',
      ...{ 'self_attn.q_proj': 'attn.q_proj', 'self_attn.k_proj': 'attn.k_proj', 'self_attn.v_proj': 'attn.v_proj' },
      'self_attn.o_proj': 'attn.out_proj',
      ...{ 'mlp.up_proj': 'mlp.fc_in', 'mlp.down_proj': 'mlp.fc_out' },
    },
    'transformer.h.N',
  ),
  'model.norm': 'transformer.ln_f',
};

/** Names on the Hub by `model_type`. */
export const HUB_NAMES = { gpt2: GPT2, gptj: GPTJ, llama: {}, mistral: {}, qwen2: {}, qwen3: {} } satisfies Record<
  string,
  Names
>;
export type Family = keyof typeof HUB_NAMES;

/** llama.cpp, tensor_mapping.py. */
const blocks = (attention: Record<string, string | Place>): Names => ({
  'model.embed_tokens': 'token_embd',
  'model.embed_positions': 'position_embd',
  ...layer(
    {
      input_layernorm: 'attn_norm',
      ...attention,
      'self_attn.o_proj': 'attn_output',
      post_attention_layernorm: 'ffn_norm',
      ...{ 'mlp.gate_proj': 'ffn_gate', 'mlp.up_proj': 'ffn_up', 'mlp.down_proj': 'ffn_down' },
    },
    'blk.N',
  ),
  'model.norm': 'output_norm',
  lm_head: 'output',
});
const QWEN = blocks({
  ...{ 'self_attn.q_proj': 'attn_q', 'self_attn.k_proj': 'attn_k', 'self_attn.v_proj': 'attn_v' },
  ...{ 'self_attn.q_norm': 'attn_q_norm', 'self_attn.k_norm': 'attn_k_norm' },
});

/** Names in GGUF by `general.architecture`. */
export const GGUF_NAMES = {
  llama: blocks({
    'self_attn.q_proj': { name: 'attn_q', interleaved: true },
    'self_attn.k_proj': { name: 'attn_k', interleaved: true },
    'self_attn.v_proj': 'attn_v',
  }),
  qwen2: QWEN,
  qwen3: QWEN,
  gpt2: blocks(thirds('attn_qkv')),
} satisfies Partial<Record<Family, Names>>;

/** Where our tensor `parameter` stands. */
export function placeOf(names: Names, parameter: string): Place {
  const [, module = '', kind = ''] = /^(.*)\.(\w+)$/.exec(parameter) ?? [];
  const number = /\.(\d+)\./.exec(module)?.[1] ?? '';
  const place = names[module.replace(`.${number}.`, '.N.')] ?? module;
  const { name, ...how } = typeof place === 'string' ? { name: place } : place;
  const full = `${name.replace('.N.', `.${number}.`)}.${kind}`;
  // Only matrices are transposed.
  return { name: full, ...how, ...(kind === 'bias' && { transposed: undefined }) };
}

/** The shape in which a tensor of ours, [out, in] or [out], stands there. */
export function shapeThere({ transposed, third }: Place, shape: readonly number[]): number[] {
  const [first = 1, ...rest] = shape;
  const whole = [third === undefined ? first : 3 * first, ...rest];
  return transposed ? whole.reverse() : whole;
}

/** Our tensor out of the values that stand there. */
export function ours(
  place: Place,
  values: Float32Array<ArrayBuffer>,
  shape: readonly number[],
  headWidth: number,
): Float32Array<ArrayBuffer> {
  const { transposed, third = 0 } = place;
  const size = shape.reduce((product, side) => product * side, 1);
  if (transposed) {
    const [rows, columns] = shapeThere(place, shape) as [number, number];
    const [outputs, inputs] = shape as [number, number];
    const turned = new Float32Array(size);
    for (let i = 0; i < rows; i++)
      for (let o = 0; o < outputs; o++) turned[o * inputs + i] = values[i * columns + third * outputs + o]!;
    return turned;
  }
  if (place.third !== undefined) return values.slice(third * size, (third + 1) * size);
  if (place.interleaved) return rowsMoved(values, shape[0]!, (row) => [halved(row, headWidth), row]);
  return values;
}

/** The tensors as they stand there, of one set of ours: the inverse of `ours` for places on the Hub. */
export function theirs(names: Names, tensors: Iterable<NamedTensor>): NamedTensor[] {
  const made = new Map<string, NamedTensor>();
  for (const { name, shape, data } of tensors) {
    const place = placeOf(names, name);
    const { transposed, third } = place;
    if (!transposed && third === undefined) {
      made.set(place.name, { name: place.name, shape, data });
      continue;
    }
    const there = shapeThere(place, shape);
    const whole = made.get(place.name)?.data ?? new Float32Array(there.reduce((product, side) => product * side, 1));
    made.set(place.name, { name: place.name, shape: there, data: whole });
    if (!transposed) {
      whole.set(data, third! * data.length);
      continue;
    }
    const [outputs, inputs] = shape as [number, number];
    const columns = there[1]!;
    for (let o = 0; o < outputs; o++)
      for (let i = 0; i < inputs; i++) whole[i * columns + (third ?? 0) * outputs + o] = data[o * inputs + i]!;
  }
  return [...made.values()];
}

/** Where a row of llama.cpp's order comes from for it to stand in ours: halves of a head for neighbours. */
function halved(row: number, headWidth: number): number {
  const within = row % headWidth;
  return row - within + 2 * (within % (headWidth / 2)) + Math.floor(within / (headWidth / 2));
}

/** `move(row)` gives the row that is read and the one that is written. */
function rowsMoved(
  values: Float32Array,
  rows: number,
  move: (row: number) => [from: number, to: number],
): Float32Array<ArrayBuffer> {
  const width = values.length / rows;
  const moved = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    const [from, to] = move(row);
    moved.set(values.subarray(from * width, (from + 1) * width), to * width);
  }
  return moved;
}

/** A tensor of ours as it stands in a GGUF file: the other way round from `ours`. Llama's places alone. */
export const inGguf = ({ interleaved }: Place, values: Float32Array, shape: readonly number[], headWidth: number) =>
  interleaved ? rowsMoved(values, shape[0]!, (row) => [row, halved(row, headWidth)]) : values;
