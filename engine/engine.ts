/**
 * Engine: what samples from a model and trains it.
 *
 * Implementations: `engine/tfjs` (in a child process, reached through `engine/host.ts`), `engine/openai` (any server),
 * `engine/scripted.ts` (tests).
 * One behaviour suite (`test/contract/engine.test.ts`) runs against each.
 *
 * Determinism: an engine with `deterministic: true` gives the same bytes for the same request at one fingerprint, and a
 * row's tokens depend on that row alone (prompt, seed, sampling), never on the rows beside it or on how rows were batched.
 *
 * Errors: `EngineError` with a stable code. Cancelling through `signal` rejects with the signal's reason. A wrong or empty
 * completion is a result, not an error.
 */
import type { AdapterOptions, DecoderConfig, TokenizerSpec, TrainSchedule } from '../schemas/checkpoint.ts';
import type { CallSpan, ToolName } from '../schemas/tools.ts';

export interface EngineDescription {
  /** `tfjs`, `scripted`, … */
  name: string;
  /** Library, version, instruction set, flags, threads: everything that may move a bit. */
  fingerprint: string;
  deterministic: boolean;
}

/** A checkpoint on this machine's disk; `digest` lets an engine keep it loaded between requests. */
export interface LocalCheckpoint {
  path: string;
  digest: string;
  /** Where the checkpoint is an adapter: the frozen model it belongs on. */
  base?: { path: string; digest: string };
}

export interface Sampling {
  /** 0 = greedy. */
  temperature: number;
  /** Nucleus sampling; 1 = off. */
  topP: number;
}

export interface SampleRow {
  prompt: string;
  /** 32 hex digits; the only source of randomness of this row. Unused when greedy. */
  seed: string;
  /** The completion is cut off after this many tokens (the end token included). */
  maxNewTokens: number;
}

export interface SampleRequest {
  model: LocalCheckpoint;
  /**
   * Text that stands before every row's prompt (few-shot examples), tokenised apart from it; computed once where the engine
   * can. Completions may differ in the last bit of a logit from those of rows that carry the text themselves, never by
   * the rows beside them.
   */
  prefix?: string;
  rows: SampleRow[];
  /** Each row, the prefix before it, is the user's message of a chat in the model's own template. Absent: the text as it is. */
  chat?: boolean;
  /** Texts that end a completion: it is cut before the first of them, and counts as ended by the model. */
  stop?: string[];
  /** Tools that a text may call, and how often; `random`: every digit they give is drawn. Only where `Engine.tools` has them. */
  tools?: { use: ToolName[]; atMost: number; output?: 'random' };
  sampling: Sampling;
}

export interface Completion {
  /** Sampled token ids, the end token included where it was sampled. None where a server gives text alone. */
  tokenIds: number[];
  /** How many tokens were sampled, where there are no ids to count. */
  tokens?: number;
  /** The text of tokenIds without the end token. */
  text: string;
  /** `overflow`: prompt + maxNewTokens does not fit the context; nothing was sampled. `failed`: nothing could be had. */
  finish: 'stop' | 'length' | 'overflow' | 'failed';
  /** Why it failed. */
  cause?: string;
  /** Which tokens a tool gave, in order; absent where none was called. */
  calls?: CallSpan[];
}

/** One training row. With `completionTokens` the ids are used as they are (they were sampled); else the text is tokenised and the end token appended. */
export interface TrainRow {
  prompt: string;
  completion: string;
  completionTokens?: number[];
  /** Of completionTokens, those that a tool gave: read, never learnt. */
  calls?: CallSpan[];
  /** Of a completion that comes as text: what these tools say in it is not learnt. */
  tools?: ToolName[];
}

/** One half of a preference pair: a completion, and its log-probability under the reference (`score`). */
export interface Preferred {
  completion: string;
  completionTokens?: number[];
  reference: number;
}
/** One training row where `preference` is asked for. */
export interface PreferenceRow {
  prompt: string;
  chosen: Preferred;
  rejected: Preferred;
}

/** One training row where `policy` is asked for: a completion, and how much better than expected it did. */
export interface PolicyRow extends TrainRow {
  advantage: number;
}

/** One training row where `rewardModel` is asked for. */
export interface LabelledRow extends TrainRow {
  correct: boolean;
}

/** What an engine can be asked to learn besides completions as they are. */
export const OBJECTIVES = ['preference', 'policy', 'reward-model', 'quiet'] as const;
export type Objective = (typeof OBJECTIVES)[number];

export interface ScoreRequest {
  model: LocalCheckpoint;
  rows: TrainRow[];
}

/** Text behind a prompt in parts, each tokenised on its own. */
export interface PartsRow {
  prompt: string;
  parts: string[];
}
export interface PartsRequest {
  model: LocalCheckpoint;
  rows: PartsRow[];
}
/** −log p of each part of a row: by the model as it is, and of one that thinks behind its thoughts (greedy) and those of another row. */
export interface PartCosts {
  plain: number[];
  thinking?: number[];
  shuffled?: number[];
}

export type TrainStart =
  | { kind: 'fresh'; config: DecoderConfig; tokenizer: TokenizerSpec }
  | { kind: 'checkpoint'; checkpoint: LocalCheckpoint };

export interface TrainRequest {
  start: TrainStart;
  /** JSONL of TrainRow; of PreferenceRow with `preference`, of PolicyRow with `policy`, of LabelledRow with `rewardModel`. */
  dataPath: string;
  /**
   * Direct preference optimization (Rafailov et al., arXiv:2305.18290) in the place of the likelihood of completions: the loss of a
   * pair is −log σ(β·[(log π(y⁺) − log ref(y⁺)) − (log π(y⁻) − log ref(y⁻))]), of a step the mean over its pairs.
   */
  preference?: { beta: number };
  /**
   * A policy gradient in the place of the likelihood; of a step it is the mean over its rows.
   * - The loss of a completion y is −A·log π(y): REINFORCE (Williams 1992).
   * - With `ratio` the mean over its tokens of −min(ρ·A, clip(ρ, 1 − clip, 1 + clip)·A), ρ = π / π_sampler of the token, the
   *   sampler frozen; with `kl` plus by·(r − log r − 1), r = π_reference / π: GRPO (arXiv:2402.03300, equations 3 and 4).
   */
  policy?: { ratio?: { sampler: LocalCheckpoint; clip: number }; kl?: { reference: LocalCheckpoint; by: number } };
  /**
   * An outcome reward model (Cobbe et al., arXiv:2110.14168) in the place of the likelihood: a linear head over the last token's
   * hidden state, zero at first and part of the checkpoint; its loss is the binary cross-entropy of a row's label.
   */
  rewardModel?: true;
  /**
   * Quiet-STaR (Zelikman et al., arXiv:2403.09629) beside the likelihood: `passes` thoughts of `tokens` tokens at every position that
   * predicts a completion token, judged by the `ahead` tokens behind them; they learn by REINFORCE with weight `policy`. Start and
   * end of thoughts, the embedding of `marker` at first (a text of one token; absent = drawn), and a mixing head become part of the checkpoint. `pause`: no thoughts,
   * as many tokens that are all alike.
   */
  quiet?: { tokens: number; ahead: number; passes: number; policy: number; marker?: string; pause?: true };
  schedule: TrainSchedule;
  /** Prompts are the user's messages and completions the answers of a chat in the model's own template. Absent: the text as it is. */
  chat?: boolean;
  /** LoRA: the model to start from stays as it is, a fresh adapter learns, and `outputPath` gets the adapter alone. */
  adapter?: AdapterOptions;
  /** 32 hex digits: initial weights (fresh) and the order of the data. */
  seed: string;
  /** A finished checkpoint is written to this path (safetensors, fsynced). */
  outputPath: string;
  /** A folder for snapshots inside the fine-tune; a request with the same `resumeKey` goes on from the newest whole one bit for bit. */
  resume?: { folder: string; key: string; everyMs: number; attempt: number };
}

export interface TrainResult {
  weightsDigest: string;
  steps: number;
  /** Step at which this call began (0 = from the start): how much a resume saved. */
  resumedFrom: number;
  /**
   * Mean loss per completion token (per pair with `preference`, per completion with `policy`, per row with `rewardModel`) over the
   * last tenth of the steps; null when steps = 0.
   */
  finalLoss: number | null;
  /** The learning rate really used at each step: invariant I8. */
  learningRates: number[];
  /** Non-padding tokens processed by this call. */
  tokens: number;
}

export interface EngineProgress {
  /** Rows or steps finished / in all. */
  done: number;
  total: number;
  /** Non-padding tokens per second, lately. */
  tokensPerSecond: number;
}

export interface EngineControl {
  signal?: AbortSignal;
  onProgress?: (progress: EngineProgress) => void;
  /**
   * A row of the request has its completion. Engines that are not deterministic tell of each, and wait, before they go on:
   * what was told of is not sampled again when the request fails later.
   */
  onCompletion?: (row: number, completion: Completion) => Promise<void>;
}

export interface Engine {
  /** What `train` can be asked for besides the likelihood of completions; absent: nothing. */
  readonly learns?: readonly Objective[];
  describe(): Promise<EngineDescription>;
  sample(request: SampleRequest, control?: EngineControl): Promise<Completion[]>;
  train(request: TrainRequest, control?: EngineControl): Promise<TrainResult>;
  /**
   * Log-probability (natural, ≤ 0) of each row's completion behind its prompt: summed over the completion's tokens, its end
   * token included. Of a model trained with `rewardModel`: the log-odds that the row is right, by its head. A row's number depends on
   * that row alone, as its tokens do. Absent: the engine cannot.
   */
  score?(request: ScoreRequest, control?: EngineControl): Promise<number[]>;
  /** Costs of texts in parts. `shuffled` depends on which rows there are, the others on the row alone but for rounding. Absent: the engine cannot. */
  costs?(request: PartsRequest, control?: EngineControl): Promise<PartCosts[]>;
  /** Tools that it can run inside a text, and keeps from the loss when it trains. Absent: none. */
  readonly tools?: readonly ToolName[];
  close(): Promise<void>;
}

export type EngineErrorCode =
  | 'EngineDied' // the child ended; retryable
  | 'EngineHung' // no progress for too long; the child was ended; retryable
  | 'EngineServesOtherModel' // a server left on other weights than the request's; retryable
  | 'EngineUnavailable' // the binding or library is missing; the message names the cure
  | 'ChatTemplateMissing' // a chat is asked for and the model has no template
  | 'CheckpointInvalid' // torn, wrong architecture, missing tensors
  | 'TextNotInVocabulary'
  | 'ToolUnavailable' // a tool itself is out of order; retryable
  | 'TrainingDataInvalid' // a row is malformed or longer than the context; the message names the row
  | 'TrainingDiverged'; // loss or gradient is not finite

export class EngineError extends Error {
  override readonly name = 'EngineError';
  constructor(
    readonly code: EngineErrorCode,
    /** Without the code. */
    readonly sentence: string,
  ) {
    super(`${code}: ${sentence}`);
  }
}
