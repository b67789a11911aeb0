/**
 * Low-rank adapters (LoRA, Hu et al. 2021, arXiv:2106.09685) on every projection of a decoder.
 *
 *   const layout = adapterLayout(config, { rank: 8, alpha: 16 });
 *   const adapter = initialAdapter(config, { rank: 8, alpha: 16 }, seed);       // A uniform, B zero
 *   const tensors = mergeAdapter(base, { options, tensors: adapter });          // W + alpha/rank · B·A
 *
 * Names are those that PEFT writes (`adapter_model.safetensors`):
 * `base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight` [rank, in] and `….lora_B.weight` [out, rank].
 *
 * Limits: no dropout (a step stays a function of seed and data), no bias; embedding, norms and output layer stay frozen. A reward
 * head is no pair of factors: it learns whole.
 */
import type { AdapterOptions, DecoderConfig } from '../../schemas/checkpoint.ts';
import { atOnce } from './gently.ts';
import type { Steps } from './gently.ts';
import { flatten, gainOf, parameterLayout } from './layout.ts';
import type { Block, Layout } from './layout.ts';
import { parameterShapes, REWARD_HEAD } from './parameters.ts';
import type { ParameterShape } from './parameters.ts';
import { uniform } from './rng.ts';
import type { NamedTensor } from './safetensors.ts';

export type AdapterLayout = Layout & { adapter: AdapterOptions };

/** One adapted projection: its name in the base and those of its two factors. */
const factorsOf = (name: string) => {
  const stem = `base_model.model.${name.slice(0, -'.weight'.length)}`;
  return { a: `${stem}.lora_A.weight`, b: `${stem}.lora_B.weight` };
};
const isProjection = ({ name }: { name: string }) => name.endsWith('_proj.weight');

/** Every tensor of an adapter, in the order of the forward pass; A before B. `reward`: a whole reward head besides. */
export function adapterShapes(config: DecoderConfig, { rank }: AdapterOptions, reward = false): ParameterShape[] {
  const factors = parameterShapes(config)
    .filter(isProjection)
    .flatMap(({ name, shape: [rows, columns] }) => {
      const { a, b } = factorsOf(name);
      return [
        { name: a, shape: [rank, columns!] },
        { name: b, shape: [rows!, rank] },
      ];
    });
  return reward ? [...factors, { name: REWARD_HEAD, shape: [1, config.dModel] }] : factors;
}

/**
 * Where each factor lies in the vector that learns. A block of several projections (q, k, v) has one A [3·rank, in], the
 * factors below one another, and one B [out, 3·rank] that holds theirs along its diagonal: between them it is and stays 0.
 */
export function adapterLayout(config: DecoderConfig, adapter: AdapterOptions, reward = false): AdapterLayout {
  const { rank } = adapter;
  const layout: AdapterLayout = { config, adapter, size: 0, blocks: [], pieces: [] };
  const { blocks, pieces } = parameterLayout(config);
  for (const block of blocks) {
    const inside = pieces.filter((piece) => isProjection(piece) && piece.block === block.name);
    if (inside.length === 0) continue;
    const [rows, columns] = block.shape as [number, number];
    const add = (factor: string, shape: [number, number]) => {
      const at = layout.size;
      layout.blocks.push({ name: `${block.name}.${factor}`, shape, length: shape[0] * shape[1] });
      layout.size += shape[0] * shape[1];
      return at;
    };
    const aAt = add('A', [inside.length * rank, columns]);
    const bAt = add('B', [rows, inside.length * rank]);
    let row = 0;
    for (const [index, piece] of inside.entries()) {
      const { a, b } = factorsOf(piece.name);
      const factor = { block: block.name, rotary: false };
      layout.pieces.push({ ...factor, name: a, shape: [rank, columns], offset: aAt + index * rank * columns });
      const stride = inside.length * rank;
      layout.pieces.push({
        ...factor,
        name: b,
        shape: [piece.shape[0]!, rank],
        offset: bAt + row * stride + index * rank,
        stride,
        rotary: piece.rotary,
      });
      row += piece.shape[0]!;
    }
  }
  if (reward) {
    const score = { shape: [1, config.dModel], length: config.dModel };
    layout.blocks.push({ name: 'score', ...score });
    layout.pieces.push({ name: REWARD_HEAD, block: 'score', shape: score.shape, offset: layout.size, rotary: false });
    layout.size += score.length;
  }
  return layout;
}

/** Counter that keeps an adapter's first values apart from every other use of the same seed. */
const INITIAL_ADAPTER = 3;

/**
 * A uniform within 1/√in, B zero (as PEFT): the adapted model begins as the base; a reward head zero. Same seed ⇒ same bytes on
 * every Node.
 */
export function initialAdapter(
  config: DecoderConfig,
  adapter: AdapterOptions,
  seed: string,
  reward = false,
): Map<string, NamedTensor> {
  const tensors = new Map<string, NamedTensor>();
  for (const [index, { name, shape }] of adapterShapes(config, adapter, reward).entries()) {
    const data = new Float32Array(shape[0]! * shape[1]!);
    if (name.endsWith('lora_A.weight')) {
      const bound = 1 / Math.sqrt(shape[1]!);
      for (let i = 0; i < data.length; i++) data[i] = (2 * uniform(seed, INITIAL_ADAPTER, index, i) - 1) * bound;
    }
    tensors.set(name, { name, shape, data });
  }
  return tensors;
}

/** A frozen stretch as the pass reads it. */
export type FrozenBlock = Pick<Block, 'name' | 'shape'> & { data: Float32Array };

/** The blocks of a base that stays as it is: gains folded into the matrices behind them, and masks of shared factors. */
export function frozenBlocks(layout: AdapterLayout, tensors: ReadonlyMap<string, NamedTensor>): FrozenBlock[] {
  const base = parameterLayout(layout.config);
  const vector = flatten(base, tensors);
  const frozen: FrozenBlock[] = [];
  const whole = new Map<string, Float32Array>();
  let at = 0;
  for (const { name, shape, length } of base.blocks) {
    const data = vector.subarray(at, (at += length));
    whole.set(name, data);
    frozen.push({ name, shape, data });
  }
  for (const { name, data } of frozen) {
    // The output layer may be the embedding as well: its gain stays apart.
    const gain = name === 'head' ? undefined : whole.get(gainOf(layout.config, name) ?? '');
    if (gain !== undefined) data.forEach((value, i) => (data[i] = value * gain[i % gain.length]!));
  }
  for (const block of layout.blocks) {
    const inside = layout.pieces.filter(
      ({ block: name, stride }) => stride !== undefined && `${name}.B` === block.name,
    );
    if (inside.length < 2) continue;
    const data = new Float32Array(block.length);
    const start = inside[0]!.offset;
    for (const { shape, offset, stride } of inside)
      for (let row = 0; row < shape[0]!; row++)
        data.fill(1, offset - start + row * stride!, offset - start + row * stride! + shape[1]!);
    frozen.push({ name: block.name.replace(/B$/, 'mask'), shape: block.shape, data });
  }
  return frozen;
}

/** The weights that base and adapter stand for, [out, in] each: W + alpha/rank · B·A, sums in float64. */
export const mergeAdapter = (...of: Parameters<typeof mergeSteps>): Map<string, NamedTensor> =>
  atOnce(mergeSteps(...of));

/** As `mergeAdapter`, in steps. */
export function* mergeSteps(
  base: ReadonlyMap<string, NamedTensor>,
  { options: { rank, alpha }, tensors }: { options: AdapterOptions; tensors: ReadonlyMap<string, NamedTensor> },
): Steps<Map<string, NamedTensor>> {
  const merged = new Map(base);
  const head = tensors.get(REWARD_HEAD);
  if (head) merged.set(REWARD_HEAD, head);
  for (const { name, shape, data } of base.values()) {
    if (!isProjection({ name })) continue;
    const factors = factorsOf(name);
    const [a, b] = [tensors.get(factors.a)!.data, tensors.get(factors.b)!.data];
    const [rows, columns] = shape as [number, number];
    const sum = new Float32Array(data.length);
    const delta = new Float64Array(columns);
    for (let row = 0; row < rows; row++) {
      delta.fill(0);
      for (let r = 0; r < rank; r++) {
        const factor = (b[row * rank + r]! * alpha) / rank;
        for (let column = 0; column < columns; column++) delta[column]! += factor * a[r * columns + column]!;
      }
      for (let column = 0; column < columns; column++)
        sum[row * columns + column] = data[row * columns + column]! + delta[column]!;
      yield;
    }
    merged.set(name, { name, shape, data: sum });
  }
  return merged;
}
