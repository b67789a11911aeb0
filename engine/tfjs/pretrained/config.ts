/**
 * A model's config.json as DecoderConfig.
 *
 *   decoderConfig('model/config.json', { model_type: 'llama', hidden_size: 576, … })   // { dModel: 576, … }
 *
 * Every key is honoured, known to leave the numbers of a forward pass alone (IRRELEVANT), absent in effect (null or false),
 * or refused by name: a setting that was passed over would be a model that is subtly another one. Meanings and what an
 * absent key stands for are those of transformers (`configuration_<family>.py`).
 */
import { DecoderConfig } from '../../../schemas/checkpoint.ts';
import { HUB_NAMES, type Family } from './names.ts';
import { refused } from './source.ts';

export type Json = Record<string, unknown>;

/** Names, training, bookkeeping, and the tokenizer's ids (which tokenizer-files.ts reads). */
const IRRELEVANT = new Set(
  `_name_or_path architectures model_type torch_dtype dtype transformers_version transformers.js_config use_cache
  bos_token_id eos_token_id pad_token_id unk_token_id decoder_start_token_id tokenizer_class initializer_range
  attention_dropout attn_pdrop embd_pdrop resid_pdrop hidden_dropout summary_type summary_use_proj summary_activation
  summary_proj_to_labels summary_first_dropout task_specific_params n_ctx max_window_layers pretraining_tp is_llama_config
  gradient_checkpointing id2label label2id return_dict is_decoder reorder_and_upcast_attn rope_interleaved rotary
  chunk_size_feed_forward problem_type`.split(/\s+/),
);

const CURE = 'give a model without it, or ask for its support';

/** Hands out the values of a config and keeps what was asked for. */
class Keys {
  readonly #asked = new Set<string>();

  constructor(
    readonly file: string,
    readonly config: Json,
  ) {}

  /** The value; undefined where the key is absent or null. */
  #get(key: string): unknown {
    this.#asked.add(key);
    return this.config[key] ?? undefined;
  }

  fault(key: string, expected: string): Error {
    const found = JSON.stringify(this.config[key]);
    return refused(this.file, `has ${key} = ${found}, where startrail reads ${expected}`, CURE);
  }

  number(key: string, otherwise?: number): number {
    const value = this.#get(key) ?? otherwise;
    if (value === undefined) throw refused(this.file, `lacks ${key}`);
    if (typeof value !== 'number') throw this.fault(key, 'a number');
    return value;
  }

  optional(key: string): number | undefined {
    return this.#get(key) === undefined ? undefined : this.number(key);
  }

  flag(key: string, otherwise: boolean): boolean {
    const value = this.#get(key) ?? otherwise;
    if (typeof value !== 'boolean') throw this.fault(key, 'true or false');
    return value;
  }

  oneOf<T>(key: string, meanings: Record<string, T>, otherwise: string): T {
    const value = this.#get(key) ?? otherwise;
    if (typeof value !== 'string' || !Object.hasOwn(meanings, value))
      throw this.fault(key, Object.keys(meanings).join(', '));
    return meanings[value]!;
  }

  /** A key of which one meaning alone is computed. */
  only(key: string, test: (value: unknown) => boolean, expected: string): void {
    const value = this.#get(key);
    if (value !== undefined && !test(value)) throw this.fault(key, expected);
  }

  nothingElse(): void {
    for (const [key, value] of Object.entries(this.config)) {
      if (this.#asked.has(key) || IRRELEVANT.has(key) || value === null || value === false) continue;
      throw refused(this.file, `has ${key} = ${JSON.stringify(value)}, which startrail does not know`, CURE);
    }
  }
}

type Decoder = Omit<DecoderConfig, 'vocabSize'>;

const GELUS = {
  gelu_new: 'gelu-tanh',
  gelu_pytorch_tanh: 'gelu-tanh',
  gelu_fast: 'gelu-tanh',
  gelu: 'gelu',
  relu: 'relu',
} as const;

function gpt2(keys: Keys): Decoder {
  keys.only('scale_attn_weights', (value) => value === true, 'true');
  const dModel = keys.number('n_embd', 768);
  return {
    ...{ dModel, layers: keys.number('n_layer', 12), heads: keys.number('n_head', 12) },
    dFF: keys.optional('n_inner') ?? 4 * dModel,
    activation: keys.oneOf('activation_function', GELUS, 'gelu_new'),
    context: keys.number('n_positions', 1024),
    ropeTheta: 10_000,
    normEpsilon: keys.number('layer_norm_epsilon', 1e-5),
    tiedEmbeddings: keys.flag('tie_word_embeddings', true),
    ...{ norm: 'layer', positions: 'learned', biases: { qkv: true, o: true, mlp: true } },
  };
}

function gptj(keys: Keys): Decoder {
  const [dModel, heads] = [keys.number('n_embd', 4096), keys.number('n_head', 16)];
  const tiedEmbeddings = keys.flag('tie_word_embeddings', false);
  return {
    ...{ dModel, layers: keys.number('n_layer', 28), heads },
    dFF: keys.optional('n_inner') ?? 4 * dModel,
    activation: keys.oneOf('activation_function', GELUS, 'gelu_new'),
    context: keys.number('n_positions', 2048),
    ropeTheta: 10_000,
    normEpsilon: keys.number('layer_norm_epsilon', 1e-5),
    tiedEmbeddings,
    ...rotaryWidth(keys.optional('rotary_dim') ?? 64, dModel / heads),
    ...{ norm: 'layer', rotaryPairs: 'neighbours', parallel: true },
    biases: { mlp: true, head: true },
  };
}

const rotaryWidth = (width: number, head: number) => (width === head ? {} : { rotaryWidth: width });

interface Absent {
  context: number;
  kvHeads?: number;
  headWidth?: number;
  /** Of attention, in tokens. */
  window?: number;
}

/** Llama and those that differ from it in biases, norms of heads and what an absent key stands for. */
function llama(keys: Keys, absent: Absent): Decoder {
  const [dModel, heads] = [keys.number('hidden_size', 4096), keys.number('num_attention_heads', 32)];
  const groups = keys.number('num_key_value_heads', absent.kvHeads ?? heads);
  const headWidth = keys.optional('head_dim') ?? absent.headWidth ?? dModel / heads;
  keys.only('rope_scaling', (value) => ropeType(value) === 'default', 'none (plain rotary positions)');
  keys.only('rope_parameters', (value) => ropeType(value) === 'default', 'rope_type "default"');
  const rope = keys.config.rope_parameters as { rope_theta?: number } | undefined;
  const context = keys.number('max_position_embeddings', absent.context);
  // Qwen's window is off unless another key turns it on.
  keys.only('use_sliding_window', (value) => value === false, 'false');
  const window = keys.optional('sliding_window') ?? (keys.config.sliding_window === null ? undefined : absent.window);
  const windowed = window !== undefined && !String(keys.config.model_type).startsWith('qwen');
  if (windowed && window < context) throw keys.fault('sliding_window', `none or at least the context of ${context}`);
  const plain = (type: unknown) => type === 'full_attention' || (windowed && type === 'sliding_attention');
  keys.only('layer_types', (value) => Array.isArray(value) && value.every(plain), '"full_attention" everywhere');
  return {
    ...{ dModel, layers: keys.number('num_hidden_layers', 32), heads },
    ...(groups !== heads && { kvHeads: groups }),
    ...(headWidth !== dModel / heads && { headWidth }),
    dFF: keys.number('intermediate_size', 11_008),
    activation: keys.oneOf('hidden_act', { silu: 'swiglu', swish: 'swiglu' } as const, 'silu'),
    context,
    ropeTheta: rope?.rope_theta ?? keys.number('rope_theta', 10_000),
    normEpsilon: keys.number('rms_norm_eps', 1e-6),
    tiedEmbeddings: keys.flag('tie_word_embeddings', false),
  };
}

const ropeType = (value: unknown): unknown => {
  const { rope_type: type, type: old, rope_theta: _theta, ...more } = value as Json;
  return Object.keys(more).length > 0 ? more : (type ?? old);
};

const FAMILIES: Record<Family, (keys: Keys) => Decoder> = {
  gpt2,
  gptj,
  llama: (keys) => {
    const decoder = llama(keys, { context: 2048 });
    const [attention, mlp] = [keys.flag('attention_bias', false), keys.flag('mlp_bias', false)];
    if (!attention && !mlp) return decoder;
    return { ...decoder, biases: { ...(attention && { qkv: true, o: true }), ...(mlp && { mlp: true }) } };
  },
  mistral: (keys) => llama(keys, { context: 131_072, kvHeads: 8, window: 4096 }),
  qwen2: (keys) => ({ ...llama(keys, { context: 32_768, kvHeads: 32 }), biases: { qkv: true } }),
  qwen3: (keys) => ({
    ...llama(keys, { context: 32_768, kvHeads: 32, headWidth: 128 }),
    ...(keys.flag('attention_bias', false) && { biases: { qkv: true, o: true } as const }),
    qkNorm: true,
  }),
};

/**
 * @param file named in errors.
 * @throws EngineError CheckpointInvalid: another family, a key that is missing or not honoured, sizes that cannot be.
 */
export function decoderConfig(file: string, config: Json): { family: Family; config: DecoderConfig } {
  const type = config.model_type;
  if (typeof type !== 'string' || !Object.hasOwn(HUB_NAMES, type))
    throw refused(file, `is of a ${JSON.stringify(type)} model`, `give one of ${Object.keys(HUB_NAMES).join(', ')}`);
  const family = type as Family;
  const keys = new Keys(file, config);
  const vocabSize = keys.number('vocab_size');
  const decoder = FAMILIES[family](keys);
  keys.nothingElse();
  const parsed = DecoderConfig.safeParse({ vocabSize, ...decoder });
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw refused(file, `gives a model that cannot be (${issue.path.join('.')}: ${issue.message})`);
  }
  return { family, config: parsed.data };
}
