/**
 * The table of stage kinds: typed ports, options, shard rule, queue. A new kind is a row here and an activity of its name in
 * `activities/`; a mapped type (`Activities` in activities/index.ts) refuses to compile until both exist.
 */
import { z } from 'zod';
import type { ArtifactRef } from './artifact.ts';
import type { Model } from './checkpoint.ts';
import type { Comparison } from './comparison.ts';
import type { RunContext } from './run-context.ts';
import { balanceOptions, drawOptions, EvaluationPrompt, hardOptions, hintOptions } from './stage-options.ts';
import { keptOptions, pairOptions } from './stage-options.ts';
import { preferenceOptions, rankOptions, rewardModelOptions, rewardOptions } from './stage-options.ts';
import { roundOptions, temperature, trainingOptions, verifyOptions } from './stage-options.ts';
import { TEXT_STAGES } from './text-stages.ts';
import { toolOptions } from './tools.ts';
import type { FreshModel, PretrainedModel, ScoreShard, Slice } from './port-values.ts';
import type { PortType } from './ports.ts';
import type { StageCounts } from './stage-counts.ts';

interface StageRow {
  /** Part of the memo key: raise it when the activity's output changes for the same input. */
  version: number;
  inputs: Record<string, { type: PortType; many?: boolean; optional?: boolean }>;
  outputs: Record<string, PortType>;
  /** The output a bare stage name means. */
  main?: string;
  /** Ports whose rows are cut into shards; none = one activity. */
  shardBy?: string[];
  /** A shard of this stage needs just the same shard of that input: it starts as soon as that one is there. */
  follows?: string;
  /** Starts only when enough of the judgements made before it in the iteration are there (`judging.atMostUnjudged`). */
  needsJudgements?: true;
  /** 'engine' stages heartbeat fast and use the engine; the queue decides which worker role takes them. */
  queue: 'control' | 'sample' | 'verify' | 'train';
  options: z.ZodObject;
}

/** The judged rationales of any number of stages. */
const labelled = {
  correct: { type: 'correct', many: true },
  incorrect: { type: 'incorrect', many: true },
} as const;

export const STAGES = {
  draw: {
    version: 1,
    inputs: { problems: { type: 'train' }, queue: { type: 'queue', optional: true } },
    outputs: { problems: 'problems' },
    main: 'problems',
    queue: 'control',
    options: z.strictObject(drawOptions),
  },
  turns: {
    version: 1,
    inputs: {
      problems: { type: 'problems' },
      correct: { type: 'correct', many: true },
      incorrect: { type: 'incorrect', many: true },
      earlier: { type: 'queue', optional: true },
    },
    outputs: { queue: 'queue' },
    main: 'queue',
    queue: 'control',
    options: z.strictObject({}),
  },
  balance: {
    version: 1,
    inputs: { problems: { type: 'problems' }, model: { type: 'model' } },
    outputs: { sampling: 'sampling' },
    main: 'sampling',
    queue: 'sample',
    options: z.strictObject(balanceOptions),
  },
  generate: {
    version: 1,
    /** `sampling`: the temperature that was found best goes over the option. */
    inputs: {
      problems: { type: 'problems' },
      model: { type: 'model' },
      sampling: { type: 'sampling', optional: true },
    },
    outputs: { rationales: 'rationales' },
    main: 'rationales',
    shardBy: ['problems'],
    queue: 'sample',
    options: z.strictObject({ ...roundOptions, ...toolOptions }),
  },
  rationalize: {
    version: 1,
    inputs: { problems: { type: 'problems' }, model: { type: 'model' } },
    outputs: { rationales: 'rationales' },
    main: 'rationales',
    shardBy: ['problems'],
    queue: 'sample',
    options: z.strictObject({ ...roundOptions, ...toolOptions, ...hintOptions }),
  },
  verify: {
    version: 1,
    inputs: { rationales: { type: 'rationales' } },
    outputs: { correct: 'correct', incorrect: 'incorrect', unjudged: 'unjudged', unsolved: 'problems' },
    shardBy: ['rationales'],
    follows: 'rationales',
    queue: 'verify',
    options: z.strictObject(verifyOptions),
  },
  hard: {
    version: 1,
    inputs: labelled,
    outputs: { problems: 'problems' },
    main: 'problems',
    queue: 'control',
    options: z.strictObject(hardOptions),
  },
  select: {
    version: 1,
    inputs: { rationales: { type: 'correct', many: true } },
    outputs: { examples: 'examples' },
    main: 'examples',
    queue: 'control',
    options: z.strictObject(keptOptions),
  },
  gather: {
    version: 1,
    inputs: { examples: { type: 'examples', many: true } },
    outputs: { examples: 'examples' },
    main: 'examples',
    queue: 'control',
    options: z.strictObject(keptOptions),
  },
  unfiltered: {
    version: 1,
    inputs: { rationales: { type: 'rationales', many: true }, like: { type: 'examples' } },
    outputs: { examples: 'examples' },
    main: 'examples',
    queue: 'control',
    options: z.strictObject({}),
  },
  answers: {
    version: 1,
    inputs: { problems: { type: 'problems' } },
    outputs: { examples: 'examples' },
    main: 'examples',
    queue: 'control',
    options: z.strictObject({}),
  },
  import: {
    version: 1,
    inputs: { from: { type: 'model' } },
    outputs: { model: 'model' },
    main: 'model',
    queue: 'train',
    options: z.strictObject({}),
  },
  'fine-tune': {
    version: 1,
    inputs: {
      examples: { type: 'examples', optional: true },
      seeds: { type: 'seeds', optional: true },
      /** In the place of both, where the objective learns by rewards; with the model they were sampled from, and one to stay near. */
      samples: { type: 'samples', optional: true },
      sampler: { type: 'model', optional: true },
      reference: { type: 'model', optional: true },
      from: { type: 'model' },
    },
    outputs: { model: 'model' },
    main: 'model',
    needsJudgements: true,
    queue: 'train',
    options: z.strictObject(trainingOptions),
  },
  reward: {
    version: 1,
    inputs: labelled,
    outputs: { samples: 'samples' },
    main: 'samples',
    queue: 'control',
    options: z.strictObject(rewardOptions),
  },
  pairs: {
    version: 1,
    inputs: { ...labelled, earlier: { type: 'pairs', optional: true } },
    outputs: { pairs: 'pairs' },
    main: 'pairs',
    queue: 'control',
    options: z.strictObject(pairOptions),
  },
  prefer: {
    version: 1,
    inputs: { pairs: { type: 'pairs' }, from: { type: 'model' } },
    outputs: { model: 'model' },
    main: 'model',
    needsJudgements: true,
    queue: 'train',
    options: z.strictObject(preferenceOptions),
  },
  'reward-model': {
    version: 1,
    inputs: { ...labelled, from: { type: 'model' } },
    outputs: { model: 'model' },
    main: 'model',
    needsJudgements: true,
    queue: 'train',
    options: z.strictObject(rewardModelOptions),
  },
  ...TEXT_STAGES,
  rank: {
    version: 1,
    inputs: { model: { type: 'model' }, verifier: { type: 'model' }, test: { type: 'test' } },
    outputs: { ranking: 'ranking' },
    main: 'ranking',
    shardBy: ['test'],
    queue: 'sample',
    options: z.strictObject(rankOptions),
  },
  evaluate: {
    version: 1,
    inputs: { model: { type: 'model' }, dev: { type: 'dev' }, test: { type: 'test' } },
    outputs: { score: 'score' },
    main: 'score',
    shardBy: ['dev', 'test'],
    queue: 'sample',
    options: z.strictObject({
      /** Absent = `shots`. */
      prompt: EvaluationPrompt.optional(),
      /** Absent = 0, greedy. */
      temperature: temperature.optional(),
      /** Any number: the same evaluation, sampled anew instead of answered by the memo. */
      again: z.int().nonnegative().optional(),
      ...toolOptions,
    }),
  },
} as const satisfies Record<string, StageRow>;

export type StageKind = keyof typeof STAGES;
export const StageKind = z.enum(Object.keys(STAGES) as [StageKind, ...StageKind[]]);
/** The table with its rows widened, for code that treats all kinds alike. */
export const stageRow = (kind: StageKind): StageRow => STAGES[kind];
/** Kinds that train a model. */
export const TRAINING: ReadonlySet<StageKind> = new Set(
  StageKind.options.filter((kind) => 'steps' in stageRow(kind).options.shape),
);

export type StageOptions<K extends StageKind> = z.output<(typeof STAGES)[K]['options']>;

type InputValue<T extends PortType> = T extends 'train'
  ? null
  : T extends 'model'
    ? Model | FreshModel | PretrainedModel
    : Slice;
type OutputValue<T extends PortType> = T extends 'model' ? Model : T extends 'score' ? ScoreShard : ArtifactRef;

export type StageInputs<K extends StageKind> = {
  [P in keyof (typeof STAGES)[K]['inputs']]: (typeof STAGES)[K]['inputs'][P] extends { type: infer T extends PortType }
    ? (typeof STAGES)[K]['inputs'][P] extends { optional: true }
      ? InputValue<T> | undefined
      : InputValue<T>
    : never;
};
export type StageOutputs<K extends StageKind> = {
  [P in keyof (typeof STAGES)[K]['outputs']]: (typeof STAGES)[K]['outputs'][P] extends infer T extends PortType
    ? OutputValue<T>
    : never;
};

/** What one activity gets: one shard of one stage. */
export interface StageInput<K extends StageKind = StageKind> {
  run: RunContext;
  iteration: number;
  /** Raised by every retry of the iteration; lets unjudged rows be judged anew. */
  attempt: number;
  stage: string;
  kind: K;
  options: StageOptions<K>;
  inputs: StageInputs<K>;
  /** The model that goes on if this iteration trains nothing. */
  carried: Model | null;
  shard: { index: number; count: number };
  /** Repair: drop the memo's entry first. The outputs must have these digests again. */
  redo?: { digest: string };
}

export interface StageOutput<K extends StageKind = StageKind> {
  outputs: StageOutputs<K>;
  /** The memo had it. */
  reused: boolean;
  /** Of the first, real execution. */
  seconds: number;
  /** Non-padding tokens sampled or trained on. */
  tokens: number;
  /** Holds unjudged rows: a retry of the iteration judges those again. */
  partial: boolean;
  /** The cause that most of the unjudged rows have. */
  unjudgedBecause?: string;
  drawnNew?: number; // From a problem source.
  trained?: { rows: number; steps: number; carried: boolean };
  /** This output stands for so many shards, joined by a fan-out: its refs are manifests. */
  joined?: StageCounts;
  /** Of a fresh replay: held against the memo's record of this shard, or of those joined here. */
  compared?: Comparison;
}
