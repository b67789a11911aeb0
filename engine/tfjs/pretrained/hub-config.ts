/**
 * A decoder as config.json of the Hub: the inverse of config.ts, proven by it.
 *
 *   const { family, json } = hubConfig(config, tokenizer);      // { family: 'qwen2', json: { model_type: 'qwen2', … } }
 *
 * Each family writes what it has words for; the one whose words mean this very decoder when they are read again is taken.
 * Mistral goes out as Llama, which computes the same.
 */
import type { DecoderConfig, TokenizerSpec } from '../../../schemas/checkpoint.ts';
import { EngineError } from '../../engine.ts';
import { headWidthOf, kvHeadsOf } from '../parameters.ts';
import { decoderConfig, type Json } from './config.ts';
import type { Family } from './names.ts';

const GELUS: Record<string, string> = { relu: 'relu', gelu: 'gelu', 'gelu-tanh': 'gelu_new' };

const gpt = (config: DecoderConfig): Json => ({
  ...{ n_embd: config.dModel, n_layer: config.layers, n_head: config.heads, n_inner: config.dFF },
  n_positions: config.context,
  activation_function: GELUS[config.activation] ?? 'gelu_new',
  layer_norm_epsilon: config.normEpsilon,
  // A fine-tune that goes on elsewhere goes on as here: without dropout.
  ...{ resid_pdrop: 0, embd_pdrop: 0, attn_pdrop: 0 },
});

const llama = (config: DecoderConfig): Json => ({
  hidden_size: config.dModel,
  num_hidden_layers: config.layers,
  num_attention_heads: config.heads,
  num_key_value_heads: kvHeadsOf(config),
  head_dim: headWidthOf(config),
  intermediate_size: config.dFF,
  hidden_act: 'silu',
  max_position_embeddings: config.context,
  rope_theta: config.ropeTheta,
  rms_norm_eps: config.normEpsilon,
});

/** In the order in which they are tried. */
const WRITERS: [family: Exclude<Family, 'mistral'>, architecture: string, write: (config: DecoderConfig) => Json][] = [
  [
    'llama',
    'LlamaForCausalLM',
    (config) => ({
      ...llama(config),
      attention_bias: config.biases?.o === true,
      mlp_bias: config.biases?.mlp === true,
    }),
  ],
  ['qwen2', 'Qwen2ForCausalLM', (config) => ({ ...llama(config), use_sliding_window: false, sliding_window: null })],
  [
    'qwen3',
    'Qwen3ForCausalLM',
    (config) => ({
      ...llama(config),
      ...{ attention_bias: config.biases?.o === true, use_sliding_window: false, sliding_window: null },
    }),
  ],
  ['gpt2', 'GPT2LMHeadModel', gpt],
  ['gptj', 'GPTJForCausalLM', (config) => ({ ...gpt(config), rotary_dim: config.rotaryWidth ?? headWidthOf(config) })],
];

/** @throws EngineError CheckpointInvalid, naming what the nearest family has no word for. */
export function hubConfig(config: DecoderConfig, tokenizer: TokenizerSpec): { family: Family; json: Json } {
  const [begin, ends] = tokenizer.kind === 'pieces' ? [] : [tokenizer.begin, tokenizer.ends];
  let nearest: { architecture: string; differing: string[] } | undefined;
  for (const [family, architecture, write] of WRITERS) {
    const json: Json = {
      architectures: [architecture],
      model_type: family,
      vocab_size: config.vocabSize,
      ...write(config),
      tie_word_embeddings: config.tiedEmbeddings,
      bos_token_id: begin ?? null,
      eos_token_id: ends === undefined ? tokenizer.end : [tokenizer.end, ...ends],
      pad_token_id: tokenizer.pad,
      torch_dtype: 'float32',
    };
    const differing = differences(config, decoderConfig('config.json', json).config);
    if (differing.length === 0) return { family, json };
    if (nearest === undefined || differing.length < nearest.differing.length) nearest = { architecture, differing };
  }
  const { architecture, differing } = nearest!;
  throw new EngineError(
    'CheckpointInvalid',
    `a model with ${differing.join(', ')} has no form that transformers loads (nearest: ${architecture}); give model.activation swiglu without what is named, or train it with the tfjs engine`,
  );
}

/** Fields of which the first means something else than the second, with the first's values. */
function differences(config: DecoderConfig, other: DecoderConfig): string[] {
  const said = (of: DecoderConfig, key: string) => {
    if (key === 'kvHeads') return kvHeadsOf(of);
    if (key === 'headWidth') return headWidthOf(of);
    // Without rotation nothing is said of its speed.
    if (key === 'ropeTheta' && of.positions === 'learned') return undefined;
    const value = of[key as keyof DecoderConfig];
    return typeof value === 'object' ? JSON.stringify(Object.entries(value).sort()) : value;
  };
  const keys = [...new Set([...Object.keys(config), ...Object.keys(other)])];
  return keys
    .filter((key) => said(config, key) !== said(other, key))
    .map((key) => {
      const value = config[key as keyof DecoderConfig] ?? 'absent';
      return `${key} ${typeof value === 'object' ? JSON.stringify(value) : value}`;
    });
}
