/**
 * Which tensors a decoder has: names and shapes of Hugging Face's Llama, so that an export needs no renaming.
 *
 *   parameterShapes(config)   // [{ name: 'model.embed_tokens.weight', shape: [20, 64] }, …]
 *
 * With activation `relu` there is no gate: only `up_proj` and `down_proj` (Llama itself always has the gate).
 */
import { tokenizerSize, type DecoderConfig, type TokenizerSpec } from '../../schemas/checkpoint.ts';

/** Name and shape of one tensor; projections are [out, in]. */
export interface ParameterShape {
  name: string;
  shape: number[];
}

/** Heads of keys and values: as many as of queries unless the config says otherwise. */
export const kvHeadsOf = ({ heads, kvHeads }: Pick<DecoderConfig, 'heads' | 'kvHeads'>): number => kvHeads ?? heads;

/** Every tensor of a decoder, in the order of the forward pass. */
export function parameterShapes(config: DecoderConfig): ParameterShape[] {
  const { vocabSize, dModel, dFF, layers } = config;
  const dKeys = (dModel / config.heads) * kvHeadsOf(config);
  const parameters: ParameterShape[] = [{ name: 'model.embed_tokens.weight', shape: [vocabSize, dModel] }];
  for (let layer = 0; layer < layers; layer++) {
    const add = (name: string, ...shape: number[]) => parameters.push({ name: `model.layers.${layer}.${name}`, shape });
    add('input_layernorm.weight', dModel);
    add('self_attn.q_proj.weight', dModel, dModel);
    for (const projection of ['k', 'v']) add(`self_attn.${projection}_proj.weight`, dKeys, dModel);
    add('self_attn.o_proj.weight', dModel, dModel);
    add('post_attention_layernorm.weight', dModel);
    if (config.activation === 'swiglu') add('mlp.gate_proj.weight', dFF, dModel);
    add('mlp.up_proj.weight', dFF, dModel);
    add('mlp.down_proj.weight', dModel, dFF);
  }
  parameters.push({ name: 'model.norm.weight', shape: [dModel] });
  if (!config.tiedEmbeddings) parameters.push({ name: 'lm_head.weight', shape: [vocabSize, dModel] });
  return parameters;
}

/** What is wrong with this pair as one sentence, or null: what a schema of single fields cannot see. */
export function architectureFault(config: DecoderConfig, tokenizer: TokenizerSpec): string | null {
  const { dModel, heads, vocabSize } = config;
  if (dModel % (2 * heads) !== 0) {
    return `dModel ${dModel} is not a multiple of 2 × heads (${heads}), which rotary positions need`;
  }
  if (heads % kvHeadsOf(config) !== 0) {
    return `heads ${heads} is not a multiple of kvHeads ${kvHeadsOf(config)}: each group of query heads shares one key head`;
  }
  if (tokenizerSize(tokenizer) > vocabSize) {
    return `the tokenizer has ${tokenizerSize(tokenizer)} pieces, the model a vocabulary of ${vocabSize}`;
  }
  for (const special of ['pad', 'end'] as const) {
    if (tokenizer[special] >= vocabSize) {
      return `the tokenizer's ${special} id ${tokenizer[special]} is outside the vocabulary of ${vocabSize}`;
    }
  }
  return null;
}
