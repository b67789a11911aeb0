/**
 * Which tensors a decoder has, and which configs fit together: what follows from a DecoderConfig by arithmetic.
 *
 *   parameterShapes(config)                     // [{ name: 'model.embed_tokens.weight', shape: [20, 64] }, …]
 *   shapeFault({ ...config, headWidth: 15 })    // { field: 'headWidth', message: 'headWidth 15 is odd: …' }
 *
 * Names and shapes are those of Hugging Face's Llama, so that an export needs no renaming. What Llama lacks is named as where
 * it comes from: `score.weight` (a reward head), `….bias` (Qwen2, GPT-2), `self_attn.q_norm.weight` (Qwen3), `model.embed_positions.weight` (OPT). Only
 * `swiglu` has a `gate_proj`. A parallel block has one norm, `input_layernorm`.
 */
import type { DecoderConfig } from './checkpoint.ts';

/** As Hugging Face's `…ForSequenceClassification` calls it. */
export const REWARD_HEAD = 'score.weight';

/** [out, in] of the mixing head's layers: of both rows, one number. */
const mixing = (d: number): [out: number, width: number][] => [
  [d, 2 * d],
  [d, d],
  [1, d],
];
/** Zero at first: a model that was given thoughts begins as it was. */
export const LAST_OF_MIXING = 'quiet.mix.2.weight';

/** Name and shape of one tensor; projections are [out, in]. */
export interface ParameterShape {
  name: string;
  shape: number[];
}

/** Heads of keys and values: as many as of queries unless the config says otherwise. */
export const kvHeadsOf = ({ heads, kvHeads }: Pick<DecoderConfig, 'heads' | 'kvHeads'>): number => kvHeads ?? heads;

/** Width of a head. */
export const headWidthOf = ({
  dModel,
  heads,
  headWidth,
}: Pick<DecoderConfig, 'dModel' | 'heads' | 'headWidth'>): number => headWidth ?? dModel / heads;

/** Every tensor of a decoder, in the order of the forward pass; weights of q, k and v, then their biases, side by side. */
export function parameterShapes(config: DecoderConfig): ParameterShape[] {
  const { vocabSize, dModel, dFF, layers, biases = {} } = config;
  const width = headWidthOf(config);
  const [dQueries, dKeys] = [width * config.heads, width * kvHeadsOf(config)];
  const parameters: ParameterShape[] = [];
  const add = (name: string, ...shape: number[]) => parameters.push({ name, shape });
  const norm = (name: string) => {
    add(`${name}.weight`, dModel);
    if (config.norm === 'layer') add(`${name}.bias`, dModel);
  };
  add('model.embed_tokens.weight', vocabSize, dModel);
  if (config.positions === 'learned') add('model.embed_positions.weight', config.context, dModel);
  for (let layer = 0; layer < layers; layer++) {
    const at = (name: string) => `model.layers.${layer}.${name}`;
    const project = (name: string, outputs: number, inputs: number, bias: true | undefined) => {
      add(at(`${name}_proj.weight`), outputs, inputs);
      if (bias) add(at(`${name}_proj.bias`), outputs);
    };
    norm(at('input_layernorm'));
    add(at('self_attn.q_proj.weight'), dQueries, dModel);
    for (const name of ['k', 'v']) add(at(`self_attn.${name}_proj.weight`), dKeys, dModel);
    if (biases.qkv) {
      add(at('self_attn.q_proj.bias'), dQueries);
      for (const name of ['k', 'v']) add(at(`self_attn.${name}_proj.bias`), dKeys);
    }
    if (config.qkNorm) for (const name of ['q', 'k']) add(at(`self_attn.${name}_norm.weight`), width);
    project('self_attn.o', dModel, dQueries, biases.o);
    if (!config.parallel) norm(at('post_attention_layernorm'));
    if (config.activation === 'swiglu') project('mlp.gate', dFF, dModel, biases.mlp);
    project('mlp.up', dFF, dModel, biases.mlp);
    project('mlp.down', dModel, dFF, biases.mlp);
  }
  norm('model.norm');
  if (!config.tiedEmbeddings) add('lm_head.weight', vocabSize, dModel);
  if (biases.head) add('lm_head.bias', vocabSize);
  if (config.rewardHead) add(REWARD_HEAD, 1, dModel);
  if (config.quiet) {
    for (const mark of ['start', 'end']) add(`quiet.${mark}.weight`, 1, dModel);
    for (const [layer, [out, width]] of mixing(dModel).entries()) {
      add(`quiet.mix.${layer}.weight`, out, width);
      add(`quiet.mix.${layer}.bias`, out);
    }
  }
  return parameters;
}

/** What does not fit together, at which field; null if all does. */
export function shapeFault(
  config: Omit<DecoderConfig, 'vocabSize'>,
): { field: keyof DecoderConfig; message: string } | null {
  const { dModel, heads, rotaryWidth, rotaryPairs, positions } = config;
  const [width, keys] = [headWidthOf(config), kvHeadsOf(config)];
  if (config.headWidth === undefined && dModel % (2 * heads) !== 0)
    return {
      field: 'heads',
      message: `dModel ${dModel} is not a multiple of 2 × heads (${heads}), which rotary positions need: let heads divide it into even widths, or give headWidth`,
    };
  if (width % 2 !== 0) return { field: 'headWidth', message: `headWidth ${width} is odd: dimensions turn in pairs` };
  if (heads % keys !== 0)
    return {
      field: 'kvHeads',
      message: `heads ${heads} is not a multiple of kvHeads ${keys}: heads of keys divide those of queries into equal groups`,
    };
  if (positions === 'learned' && (rotaryWidth !== undefined || rotaryPairs !== undefined))
    return { field: 'positions', message: 'learned positions do not rotate: leave out rotaryWidth and rotaryPairs' };
  if (rotaryWidth !== undefined && (rotaryWidth % 2 !== 0 || rotaryWidth > width))
    return {
      field: 'rotaryWidth',
      message: `rotaryWidth ${rotaryWidth} is not even, or more than a head's width ${width}`,
    };
  return null;
}
