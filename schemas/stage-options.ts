/**
 * Options that several kinds of stage share: how a prompt is asked, how is sampled, how is trained.
 *
 *   { prompt: 'direct-plain' }   an evaluation that asks for the answer at once, without examples
 *
 * An option without a default is absent where nobody asks for it, and then in no memo key.
 */
import { z } from 'zod';
import { AdapterOptions, TrainSchedule } from './checkpoint.ts';
import { ToolName } from './tools.ts';

/** What stands before the question when a rationale is sampled: the task's few-shot examples, where it has some, or nothing. */
const QuestionPrompt = z.enum(['shots', 'plain']);
/** `chat`: the question, `chat-shots`: examples and question, as the user's message in the model's own chat template. */
const SamplingPrompt = z.enum([...QuestionPrompt.options, 'chat', 'chat-shots']);
/** `direct`: the answer is asked for at once, after examples of that; `direct-plain`: by a model that was trained to give it. */
export const EvaluationPrompt = z.enum([...SamplingPrompt.options, 'direct', 'direct-plain']);
export type EvaluationPrompt = z.infer<typeof EvaluationPrompt>;

/** Whether a prompt of this form is a message of a chat. */
export const isChat = (prompt: EvaluationPrompt | undefined): boolean => prompt?.startsWith('chat') === true;

/** 0 = greedy. */
export const temperature = z.number().min(0).max(10);

export const samplingOptions = {
  /** Absent = `shots`. What is trained on carries the prompt that `fine-tune` names, whatever it was sampled with. */
  prompt: SamplingPrompt.optional(),
  /** Completions per problem. */
  samples: z.int().min(1).max(4096).default(1),
  temperature: temperature.default(0),
  /** Nucleus sampling; 1 = off. */
  topP: z.number().gt(0).max(1).default(1),
};

/** One round of samples. */
export const roundOptions = {
  ...samplingOptions,
  /**
   * Number of a problem's first sample; absent = 0. Seeds follow the number: a second round on problems that had 4 samples
   * begins at 4, so that it samples others.
   */
  firstSample: z.int().min(0).max(1_000_000).optional(),
};

/** Which problems an iteration has. */
export const drawOptions = {
  /** Problems an iteration, shared evenly by the strata; a stratum with fewer is taken whole. */
  count: z.int().min(1).max(100_000_000).default(1000),
  /** A control: `shuffled` gives every problem the gold answer of another one drawn with it. */
  gold: z.literal('shuffled').optional(),
  /** Where a queue is wired: so many problems take turns. Absent = ten times `count`. */
  pool: z.int().min(1).max(10_000_000).optional(),
};

/** Which temperature is sampled at: each is tried with `samples` of the first `problems` drawn, and scored (schemas/balance.ts). */
export const balanceOptions = {
  prompt: SamplingPrompt.optional(),
  /** The grid; of equal scores the first is taken. */
  temperatures: z.array(temperature.gt(0)).min(1).max(16).default([0.5, 0.7, 0.9, 1.1]),
  problems: z.int().min(1).max(100_000).default(100),
  samples: samplingOptions.samples.default(8),
  /** n*: so many different right ones of a problem are as good as more. */
  enough: z.int().min(1).max(4096).default(4),
  topP: samplingOptions.topP,
};

/** Which judgements are waited for. */
export const verifyOptions = {
  /** One judgement may take this long; then the row is unjudged. */
  timeoutMs: z.int().min(1).max(3_600_000).default(10_000),
  /** Judgements that failed are tried this often in all before they are set aside as unjudged. */
  tries: z.int().min(1).max(10).default(2),
};

/** Which problems are hard: those of whose judged samples at most this share is right; 0 = none is. */
export const hardOptions = { atMost: z.number().min(0).max(1).default(0) };

/** Absent: the answer, as in STaR; `tools`: a nudge to use tools, which shows no answer (START's hint-infer). */
export const hintOptions = { hint: z.literal('tools').optional() };

/** Which right rationales of one problem are trained on; the first stands, in the order of the inputs. */
export const keptOptions = {
  /** At most so many of one problem; null = all. */
  perProblem: z.int().min(1).nullable().default(null),
  /** Equal completions count once; `steps`: those that take the same steps (the task's `sameSteps`) do. */
  dedup: z.union([z.boolean(), z.literal('steps')]).default(true),
};

/** Steps of iteration n: first · growth^(n−1) + add · (n−1), rounded down, at most `cap`. */
export const StepRule = z.strictObject({
  first: z.int().nonnegative(),
  growth: z.number().positive().default(1),
  add: z.int().nonnegative().default(0),
  cap: z.int().positive().optional(),
});
export type StepRule = z.infer<typeof StepRule>;

const descentOptions = {
  steps: StepRule.default({ first: 40, growth: 1.2, add: 0 }),
  learningRate: z.number().positive().max(10).default(1e-6),
  warmupSteps: z.int().nonnegative().default(100),
  decay: z.enum(['constant', 'linear', 'cosine']).default('constant'),
  batchSize: z.int().min(1).max(65_536).default(8),
  accumulate: TrainSchedule.shape.accumulate,
  clipNorm: z.number().positive().default(1),
  /** Adam's second decay; a short run of a small model learns faster with less memory than the usual .999. */
  beta2: z.number().min(0).lt(1).default(0.999),
  /** LoRA: freeze the model and train a fresh adapter of this rank on it, `{"rank": 8, "alpha": 16}`; absent = train every weight. */
  adapter: AdapterOptions.optional(),
};

/** What a fine-tune learns from samples and their rewards (1 = right, 0 = wrong), in the place of completions as they are. */
export const PolicyObjective = z.enum(['reinforce', 'grpo']);
export type PolicyObjective = z.infer<typeof PolicyObjective>;

export const trainingOptions = {
  /** Absent = the likelihood of completions. */
  objective: PolicyObjective.optional(),
  /** Of `reinforce`: what a reward is held against; `others` = the mean of the problem's other samples. Absent = nothing. */
  baseline: z.literal('others').optional(),
  /** Of `grpo`: how far the ratio of a token to its sampler may go from 1 before it teaches no more. Absent = 0.2. */
  clip: z.number().positive().max(10).optional(),
  /** Of either: how much it costs to leave `reference`. Absent = nothing. */
  kl: z.number().positive().max(100).optional(),
  /** Absent = `plain`. `chat`: prompt and completion are a chat in the model's own template; only the answer is learnt. */
  prompt: z.enum(['plain', 'chat']).optional(),
  ...descentOptions,
  /** Share (0..1) of the seed triples that also enter in the hinted prompt form. */
  hintedSeeds: z.number().min(0).max(1).default(1),
  ...hintOptions,
  /** What these tools say in the texts of seeds is read and not learnt. */
  tools: z.array(ToolName).min(1).optional(),
};

/** A control: a problem's rationales keep their number of right ones, but which those are is drawn. */
const labels = z.literal('shuffled').optional();

/** Which pairs of a problem's right and wrong rationales are learnt from. */
export const pairOptions = {
  /** At most so many of one problem, its newest first; null = each right one with each wrong one. */
  perProblem: z.int().min(1).nullable().default(16),
  labels,
};

/** Of samples with their reward. */
export const rewardOptions = { labels };

/** As a fine-tune's, by direct preference optimization. */
export const preferenceOptions = {
  ...descentOptions,
  /** How far the model may go from its reference: the smaller, the farther. */
  beta: z.number().positive().max(100).default(0.1),
};

/** As a fine-tune's, of an outcome reward model. */
export const rewardModelOptions = { ...descentOptions, labels };

/** Candidates of each problem; greedy ones would all be the same. */
export const rankOptions = {
  ...samplingOptions,
  samples: samplingOptions.samples.default(16),
  temperature: samplingOptions.temperature.default(0.7),
};

const { adapter: _, ...wholeDescent } = descentOptions;
/** As a fine-tune's, of text with thoughts (Quiet-STaR, arXiv:2403.09629). */
export const thinkOptions = {
  ...wholeDescent,
  /** `pause`: as many tokens, all alike, in the place of thoughts. `none`: the text alone is learnt, for as many steps. */
  thoughts: z.enum(['sampled', 'pause', 'none']).default('sampled'),
  /** Of a thought, without its start and end. */
  tokens: z.int().min(1).max(64).default(4),
  /** Tokens behind a thought that it is judged by. */
  ahead: z.int().min(1).max(16).default(2),
  /** Thoughts at each position, which are held against each other. */
  passes: z.int().min(1).max(16).default(2),
  /** Weight of what thoughts learn beside what text does. */
  policy: z.number().nonnegative().max(1e6).default(1),
  /** A text of one token whose embedding start and end of thoughts have at first; absent = drawn. */
  marker: z.string().min(1).optional(),
};
