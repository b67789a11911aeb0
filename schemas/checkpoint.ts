/**
 * Checkpoint: one safetensors file that carries everything needed to load it.
 *
 * Tensor names are those of Hugging Face's Llama (`model.layers.0.self_attn.q_proj.weight`, shape [out, in]), so that an
 * export needs no renaming. `__metadata__` of the file holds `config` (DecoderConfig), `tokenizer` (TokenizerSpec) as JSON
 * strings and nothing that differs between two runs with the same bytes: no run id, time, host or path.
 */
import { z } from 'zod';
import { ArtifactRef, Digest } from './artifact.ts';

/**
 * A decoder-only transformer. Where an optional field is absent: RMSNorm before each block, rotary positions over the whole
 * head, no biases, no window (Llama). The fields cover GPT-2, GPT-J, Llama, Mistral, Qwen2 and Qwen3.
 */
export const DecoderConfig = z.strictObject({
  vocabSize: z.int().min(2),
  dModel: z.int().min(8),
  layers: z.int().min(1),
  heads: z.int().min(1),
  /** Heads of keys and values, each read by heads/kvHeads query heads (grouped-query attention); absent = heads. */
  kvHeads: z.int().min(1).optional(),
  /** Width of the feed-forward block. */
  dFF: z.int().min(8),
  /** `swiglu` is gated (`gate_proj`), the others are not; `gelu-tanh` is GELU by its tanh formula, `gelu` the exact one. */
  activation: z.enum(['relu', 'swiglu', 'gelu', 'gelu-tanh']),
  /** Longest sequence, prompt and completion together, in tokens. */
  context: z.int().min(8),
  ropeTheta: z.number().positive().default(10_000),
  normEpsilon: z.number().positive().default(1e-5),
  /** true: the output layer is the transposed embedding. */
  tiedEmbeddings: z.boolean().default(true),
  /** Width of a head; absent = dModel / heads. */
  headWidth: z.int().min(2).optional(),
  /** `layer`: LayerNorm with bias. Absent: RMSNorm. */
  norm: z.literal('layer').optional(),
  /** `learned`: a table of positions is added to the embedding and nothing rotates. Absent: rotary. */
  positions: z.literal('learned').optional(),
  /** Leading dimensions of a head that rotate; absent = all. */
  rotaryWidth: z.int().min(2).optional(),
  /** `neighbours`: dimensions 2i and 2i+1 turn together (GPT-J). Absent: i and i + half (Llama). */
  rotaryPairs: z.literal('neighbours').optional(),
  /** Tokens that a token reads, itself one of them; absent: all up to itself. */
  window: z.int().min(1).optional(),
  /** Attention and feed-forward read one normed input and are added together (GPT-J). */
  parallel: z.literal(true).optional(),
  /** Projections that have a bias. */
  biases: z
    .strictObject({
      qkv: z.literal(true).optional(),
      o: z.literal(true).optional(),
      mlp: z.literal(true).optional(),
      head: z.literal(true).optional(),
    })
    .optional(),
  /** RMSNorm over each head's queries and keys before they rotate (Qwen3). */
  qkNorm: z.literal(true).optional(),
  /** A linear head of one output, `score.weight` [1, dModel] without a bias, over a text's last token: the model is a reward model. */
  rewardHead: z.literal(true).optional(),
  /**
   * Quiet-STaR (arXiv:2403.09629): before each token a thought of so many tokens, between a start and an end that are learnt, and
   * a head that mixes what is said behind it with the model as it is. `pause`: the start stands in the place of each token of it.
   */
  quiet: z.strictObject({ tokens: z.int().min(1).max(64), pause: z.literal(true).optional() }).optional(),
});
export type DecoderConfig = z.infer<typeof DecoderConfig>;

/**
 * A fixed list of pieces, matched longest first; id = position. `pad` and `end` are ids outside the text's alphabet.
 * Text that holds a character no piece covers is refused (`TextNotInVocabulary`).
 */
const Pieces = z.strictObject({
  kind: z.literal('pieces'),
  pieces: z.array(z.string().min(1)).min(3),
  pad: z.int().nonnegative(),
  end: z.int().nonnegative(),
});

/** A pretrained model's own tokenizer, as the Hugging Face Hub keeps it. */
const HuggingFace = z.strictObject({
  kind: z.literal('huggingface'),
  /** The contents of tokenizer.json. */
  tokenizer: z.string().min(2),
  /** Count of ids: one more than the highest. */
  size: z.int().min(3),
  pad: z.int().nonnegative(),
  /** What a finished text ends with; a fine-tune appends it. */
  end: z.int().nonnegative(),
  /** Further ids that end a text. */
  ends: z.array(z.int().nonnegative()).optional(),
  /** Put before every prompt. */
  begin: z.int().nonnegative().optional(),
  /** Jinja template that makes a prompt of messages. */
  chatTemplate: z.string().optional(),
  /** Special tokens that the template names, by those names: { bos_token: '<s>' }. */
  chatTokens: z.record(z.string(), z.string()).optional(),
});

/** How text becomes ids and ids text. */
export const TokenizerSpec = z.discriminatedUnion('kind', [Pieces, HuggingFace]);
export type TokenizerSpec = z.infer<typeof TokenizerSpec>;
export type PiecesSpec = z.infer<typeof Pieces>;
export type HuggingFaceSpec = z.infer<typeof HuggingFace>;

/** Count of a tokenizer's ids, pad and end included: the least vocabulary of a model that it fits. */
export const tokenizerSize = (spec: TokenizerSpec): number => (spec.kind === 'pieces' ? spec.pieces.length : spec.size);

const WholeModel = z.strictObject({
  checkpoint: ArtifactRef,
  /** Over the sorted tensors: name, dtype, shape, little-endian bytes. */
  weightsDigest: Digest,
});
/** A trained model as it travels between stages. */
export const Model = WholeModel.extend({
  /** The frozen model that the checkpoint, an adapter, belongs on; then `weightsDigest` is over the digests of both. */
  base: WholeModel.optional(),
});
export type Model = z.infer<typeof Model>;

/** A low-rank adapter (LoRA) on every projection of a frozen model: W + alpha/rank · B·A. */
export const AdapterOptions = z.strictObject({
  rank: z.int().min(1).max(1024),
  alpha: z.number().positive().max(65_536),
});
export type AdapterOptions = z.infer<typeof AdapterOptions>;

/** How a fine-tune goes; every number that shapes the weights is here or in the data. */
export const TrainSchedule = z.strictObject({
  steps: z.int().nonnegative(),
  learningRate: z.number().positive(),
  warmupSteps: z.int().nonnegative(),
  /** After warm-up: hold, go linearly to zero at the last step, or along a half cosine to zero. */
  decay: z.enum(['constant', 'linear', 'cosine']),
  /** Sequences that are computed at once. */
  batchSize: z.int().min(1),
  /** Batches whose gradients make one optimizer step; absent = 1. */
  accumulate: z.int().min(1).optional(),
  clipNorm: z.number().positive(),
  beta1: z.number().default(0.9),
  beta2: z.number().default(0.999),
  epsilon: z.number().default(1e-8),
});
export type TrainSchedule = z.infer<typeof TrainSchedule>;
