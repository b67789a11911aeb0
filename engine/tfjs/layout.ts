/**
 * All weights of a decoder as one vector: Adam, the norm and clipping are then a few kernels over one tensor.
 *
 *   const layout = parameterLayout(config);
 *   const vector = flatten(layout, tensors);         // Float32Array, `layout.size` long
 *   const named = unflatten(layout, vector);         // the tensors of a checkpoint again, bit for bit
 *
 * In the vector q, k and v of a layer lie together as one matrix [(heads + 2·kvHeads)·width, d], their biases as one vector.
 * Rows of q and k, and what goes with them, are in another order than in the file: that of rotary.ts.
 */
import type { AdapterOptions, DecoderConfig } from '../../schemas/checkpoint.ts';
import { LAST_OF_MIXING, parameterShapes, REWARD_HEAD } from './parameters.ts';
import { fileRow } from './rotary.ts';
import { uniform } from './rng.ts';
import type { NamedTensor } from './safetensors.ts';

/** A stretch of the vector that the forward pass reads as one tensor. */
export interface Block {
  /** `embed`, `places`, `head`, `score`, `norm`, `start`, `end`, `mix0` … `mix2`, or `<layer>.<norm1|qkv|qNorm|kNorm|o|norm2|gate|up|down>`; `….bias` what is added. */
  name: string;
  shape: number[];
  length: number;
}

interface Piece {
  name: string;
  /** The block it lies in. */
  block: string;
  shape: number[];
  offset: number;
  /** From the start of one row to that of the next, where that is not the row's own length. */
  stride?: number;
  /** Rows of each head in the order of rotary.ts: only q and k. */
  rotary: boolean;
}

export interface Layout {
  config: DecoderConfig;
  /** Where only an adapter learns: its rank and scale. */
  adapter?: AdapterOptions;
  size: number;
  blocks: Block[];
  pieces: Piece[];
}

const BLOCKS: Record<string, string> = {
  'input_layernorm.weight': 'norm1',
  'self_attn.q_proj.weight': 'qkv',
  'self_attn.k_proj.weight': 'qkv',
  'self_attn.v_proj.weight': 'qkv',
  'self_attn.q_norm.weight': 'qNorm',
  'self_attn.k_norm.weight': 'kNorm',
  'self_attn.o_proj.weight': 'o',
  'post_attention_layernorm.weight': 'norm2',
  'mlp.gate_proj.weight': 'gate',
  'mlp.up_proj.weight': 'up',
  'mlp.down_proj.weight': 'down',
  'model.embed_tokens.weight': 'embed',
  'model.embed_positions.weight': 'places',
  'model.norm.weight': 'norm',
  'lm_head.weight': 'head',
  [REWARD_HEAD]: 'score',
  'quiet.start.weight': 'start',
  'quiet.end.weight': 'end',
  'quiet.mix.0.weight': 'mix0',
  'quiet.mix.1.weight': 'mix1',
  'quiet.mix.2.weight': 'mix2',
};

/** Biases lie beside their matrix. */
const blockOf = (name: string): string =>
  name.endsWith('.bias') ? `${BLOCKS[name.replace(/bias$/, 'weight')]}.bias` : BLOCKS[name]!;

/**
 * The norm whose gain is multiplied into a block's columns, as norms and blocks are named here: only RMSNorm's, since
 * LayerNorm adds its bias between the two.
 */
export function gainOf({ norm, parallel }: DecoderConfig, block: string): string | undefined {
  if (norm === 'layer') return undefined;
  const [, layer, short] = /^(\d+)\.(.+)$/.exec(block) ?? [];
  if (short === 'qkv') return `${layer}.norm1`;
  if (short === 'up' || short === 'gate') return `${layer}.${parallel ? 'norm1' : 'norm2'}`;
  return block === 'head' || block === 'score' ? 'norm' : undefined;
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Where each tensor of the file lies in the vector, in the order of the forward pass. */
export function parameterLayout(config: DecoderConfig): Layout {
  const layout: Layout = { config, size: 0, blocks: [], pieces: [] };
  for (const { name, shape } of parameterShapes(config)) {
    const [, layer, rest] = /^model\.layers\.(\d+)\.(.+)$/.exec(name) ?? [];
    const short = blockOf(rest ?? name);
    const block = layer === undefined ? short : `${layer}.${short}`;
    const length = sizeOf(shape);
    const last = layout.blocks.at(-1);
    if (last?.name === block) {
      // q, k and v follow one another: rows of one matrix.
      last.shape = [last.shape[0]! + shape[0]!, ...shape.slice(1)];
      last.length += length;
    } else {
      layout.blocks.push({ name: block, shape: [...shape], length });
    }
    layout.pieces.push({ name, block, shape, offset: layout.size, rotary: /[qk]_(proj|norm)/.test(name) });
    layout.size += length;
  }
  return layout;
}

/** Calls back for each row of a piece: where it lies in the vector and in the file's tensor, and its length. */
function eachRow({ config }: Layout, piece: Piece, visit: (inVector: number, inFile: number, length: number) => void) {
  const { shape, offset, stride, rotary } = piece;
  const width = sizeOf(shape.slice(1));
  if (!rotary && stride === undefined) return visit(offset, 0, sizeOf(shape));
  for (let row = 0; row < shape[0]!; row++)
    visit(offset + row * (stride ?? width), (rotary ? fileRow(config, row) : row) * width, width);
}

/** The tensors of a checkpoint as one vector [layout.size]. */
export function flatten(layout: Layout, tensors: ReadonlyMap<string, NamedTensor>): Float32Array {
  const vector = new Float32Array(layout.size);
  for (const piece of layout.pieces) {
    const { data } = tensors.get(piece.name)!;
    eachRow(layout, piece, (to, from, length) => vector.set(data.subarray(from, from + length), to));
  }
  return vector;
}

/** The inverse of `flatten`, bit for bit. */
export function unflatten(layout: Layout, vector: Float32Array): Map<string, NamedTensor> {
  const tensors = new Map<string, NamedTensor>();
  for (const piece of layout.pieces) {
    const { name, shape } = piece;
    const data = new Float32Array(sizeOf(shape));
    eachRow(layout, piece, (from, to, length) => data.set(vector.subarray(from, from + length), to));
    tensors.set(name, { name, shape, data });
  }
  return tensors;
}

/** Counter that keeps the draws of initial weights apart from every other use of the same seed. */
const INITIAL_WEIGHTS = 1;

/**
 * Starting weights: gains are 1, biases and a reward head 0, other matrices uniform with standard deviation 1/√in; those that write into the residual stream
 * (`o`, `down`) are smaller by √(2·layers), so that its size does not grow with depth. Uniform rather than normal because
 * logarithms and cosines may differ between versions of V8: same seed ⇒ same bytes on every Node.
 */
export function initialTensors(config: DecoderConfig, seed: string): Map<string, NamedTensor> {
  const tensors = new Map<string, NamedTensor>();
  for (const [index, { name, shape }] of parameterShapes(config).entries()) {
    const data = new Float32Array(sizeOf(shape));
    if (name === REWARD_HEAD || name === LAST_OF_MIXING) data.fill(0);
    else if (shape.length === 1) data.fill(name.endsWith('.bias') ? 0 : 1);
    else {
      const residual = /o_proj|down_proj/.test(name) ? Math.sqrt(2 * config.layers) : 1;
      const bound = Math.sqrt(3 / shape[1]!) / residual;
      for (let i = 0; i < data.length; i++) data[i] = (2 * uniform(seed, INITIAL_WEIGHTS, index, i) - 1) * bound;
    }
    tensors.set(name, { name, shape, data });
  }
  return tensors;
}
