/**
 * Run: what may be asked for, what `resolve` makes of it, what the workflow says of itself, what stays when Temporal has
 * forgotten it. Also the names of workflows, updates and queries.
 */
import { z } from 'zod';
import { ArtifactRef, Digest } from './artifact.ts';
import { Price, Spent } from './budget.ts';
import { DecoderConfig, Model } from './checkpoint.ts';
import { Comparison } from './comparison.ts';
import { Recipe } from './recipe.ts';
import { RunContext } from './run-context.ts';
import { Measured } from './measured.ts';
import { STAGES, StageKind } from './stage.ts';
import { StageCounts } from './stage-counts.ts';
import { CarriedRows, FreshModel, PretrainedModel, Rows, ScoreShard, type Tally } from './port-values.ts';

export const RunId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'expected 1–100 letters, digits, dots, dashes and underscores');

/** Problems of a data root that the worker declares, in the place of the task's own. */
export const ProblemSource = z.strictObject({
  root: z.string().min(1),
  /** Share (0..1) of a draw that goes first to problems the last run that was done had not seen. */
  newShare: z.number().min(0).max(1).default(0.5),
});
export type ProblemSource = z.infer<typeof ProblemSource>;

/** At most so many problems of a held-out split are asked, those with the lowest hashes; absent = all the task has. */
export const HeldOut = z.strictObject({ dev: z.int().min(1).optional(), test: z.int().min(1).optional() });
export type HeldOut = z.infer<typeof HeldOut>;

/** Input of `starRun`. The smallest is {"recipe":"star","task":"addition"}; a name means something the worker declares. */
export const RunInput = z.strictObject({
  recipe: z.union([z.string().min(1), z.looseObject({ id: z.string(), stages: z.record(z.string(), z.unknown()) })]),
  task: z.string().min(1),
  /** The task's parameters, e.g. {"digits": 4}. */
  parameters: z.record(z.string(), z.unknown()).default({}),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(1),
  /** At most this many iterations (goes over the recipe's stop.atMost). */
  iterations: z.int().min(0).max(1000).optional(),
  /** Problems per shard; changes neither ledger nor weights. */
  shardSize: z.int().min(1).max(100_000).optional(),
  onFailure: z.enum(['wait', 'fail']).default('wait'),
  engine: z.string().min(1).optional(),
  /** A pretrained model that the worker declares, to start from; absent = one trained from scratch on the seed triples. */
  model: z.string().min(1).optional(),
  /** Keeps the gate's identities from draws and seeds, so that the gate may be asked about the run's models. */
  gate: z.boolean().optional(),
  problems: ProblemSource.optional(),
  /** Recipe paths, e.g. {"stages.free.with.temperature": 0.7}. */
  set: z.record(z.string(), z.unknown()).default({}),
  /** Share iterations 0…from−1 of another run and go on from there with its options, changed by `set`. */
  fork: z.strictObject({ run: RunId, from: z.int().min(1) }).optional(),
});
export type RunInput = z.infer<typeof RunInput>;

/** How the base is trained from scratch: the fine-tune options, without seeds' share of what does not exist yet. */
const BaseOptions = STAGES['fine-tune'].options.partial();

/** Sizes a task proposes; they go over the recipe's own and under the run's input. */
export const TaskDefaults = z.strictObject({
  iterations: z.int().min(0).optional(),
  patience: z.int().min(1).optional(),
  shardSize: z.int().min(1).optional(),
  /** Shape of a model made from scratch; vocabSize comes from the task's tokenizer. */
  model: DecoderConfig.omit({ vocabSize: true }).optional(),
  base: BaseOptions.optional(),
  heldOut: HeldOut.optional(),
  stages: z.partialRecord(StageKind, z.record(z.string(), z.unknown())).default({}),
});
export type TaskDefaults = z.input<typeof TaskDefaults>;

/** One rule of durability per stage kind, from temporal.config.ts; stands in history so that a replay needs no settings. */
export const StageRule = z.strictObject({
  taskQueue: z.string(),
  startToCloseMs: z.int().positive(),
  heartbeatMs: z.int().positive(),
  maximumAttempts: z.int().nonnegative(),
});
export type StageRule = z.infer<typeof StageRule>;

/** What `resolve` returns: everything later code needs, nothing a default could change afterwards. */
export const ResolvedRun = z.strictObject({
  context: RunContext,
  /** All options filled in. */
  recipe: Recipe,
  /** The one-stage-and-evaluation graph that makes iteration 0. */
  prepare: Recipe,
  iterations: z.int().nonnegative(),
  shardSize: z.int().positive(),
  /** Shards of one stage under way at once; 2 in runs of before it stood here. */
  shardsInFlight: z.int().positive().optional(),
  /** A stage of more shards than this runs in fan-out children; never in runs of before it stood here. */
  fanOutAbove: z.int().nonnegative().optional(),
  onFailure: z.enum(['wait', 'fail']),
  /** Of the engine, where its settings declare one. */
  price: Price.optional(),
  /** What the base is made of. */
  fresh: z.union([FreshModel, PretrainedModel]),
  seeds: Rows,
  dev: Rows,
  test: Rows,
  /** Of the kinds there were when the run was started. */
  rules: z.partialRecord(StageKind, StageRule),
  /** Path → value and where it came from (kind, recipe, task, input, set): an artifact, for show and --dry-run. */
  origins: ArtifactRef,
  /** The namespace has the attributes of schemas/search-attributes.ts; absent where the option is off. */
  searchAttributes: z.literal(true).optional(),
  /** Name of the workflow code the run was started with; the home keeps it for as long as the run is open. */
  bundle: z.string().optional(),
});
export type ResolvedRun = z.infer<typeof ResolvedRun>;

export const Ledger = z.strictObject({
  acceptedFree: z.int().nonnegative(),
  acceptedHinted: z.int().nonnegative(),
  rejected: z.int().nonnegative(),
  unjudged: z.int().nonnegative(),
});
export type Ledger = z.infer<typeof Ledger>;

/** Accuracy = correct / judged; overall = unweighted mean of the strata; ci95 of that mean. */
export const Accuracy = z.strictObject({
  overall: z.number(),
  ci95: z.tuple([z.number(), z.number()]),
  n: z.int().nonnegative(),
  unjudged: z.int().nonnegative(),
  byStratum: z.record(z.string(), z.strictObject({ accuracy: z.number(), n: z.int().nonnegative() })),
});
export type Accuracy = z.infer<typeof Accuracy>;

/** One row of a run's table; `seal` makes it. */
export const IterationRecord = z.strictObject({
  n: z.int().nonnegative(),
  drawn: z.int().nonnegative(),
  ledger: Ledger,
  soundShare: z.number().min(0).max(1).nullable(),
  dev: Accuracy,
  accuracy: Accuracy,
  /** Wall seconds of each stage's first, real execution. */
  seconds: z.record(z.string(), z.number()),
  /** Of the drawn, those that were new; only where a run has a problem source. */
  drawnNew: z.int().nonnegative().optional(),
  trainedOn: z.int().nonnegative(),
  steps: z.int().nonnegative(),
  checkpoint: Digest,
  // what follows goes beyond the contract
  model: Model,
  weightsDigest: Digest,
  ledgerDigest: Digest,
  ledgerRef: ArtifactRef,
  /** Judged rows, for reports and paired tests. */
  judged: z.array(ArtifactRef),
  scores: z.array(ScoreShard.omit({ byStratum: true })),
  /** The training rows. */
  examples: z.array(ArtifactRef),
  /** What the next iteration finds as `$kept`, `$pairs`, `$queue`; only where the recipe carries some. */
  ...CarriedRows.shape,
  ...Measured.shape,
  tokens: z.record(z.string(), z.number()),
  shards: z.strictObject({ reused: z.int(), redone: z.int() }),
  /** The same by stage; absent in records of before it stood here. */
  stages: z.record(z.string(), StageCounts).optional(),
  /** Of a fresh replay. */
  compared: Comparison.optional(),
  attempt: z.int().min(1),
  /** Options that were changed for this iteration alone. */
  changed: z.record(z.string(), z.unknown()),
  carried: z.boolean(),
  partial: z.boolean(),
  /** The iteration whose model sampled here, where the run was rolled back to it. */
  rolledBackTo: z.int().nonnegative().optional(),
  spent: Spent.optional(),
});
export type IterationRecord = z.infer<typeof IterationRecord>;

/** What a run carries of a sealed iteration: small, so that a hundred of them fit a payload; the record is an artifact. */
export const IterationSummary = z.strictObject({
  n: z.int().nonnegative(),
  drawn: z.int().nonnegative(),
  ledger: Ledger,
  soundShare: z.number().nullable(),
  /** Overall accuracy on dev: what decisions read. */
  dev: z.number(),
  /** On test, for people. */
  test: z.number(),
  testByStratum: z.record(z.string(), z.number()),
  seconds: z.number(),
  model: Model,
  carried: z.boolean(),
  ...CarriedRows.shape,
  record: ArtifactRef,
  rolledBackTo: z.int().nonnegative().optional(),
  spent: Spent.optional(),
});
export type IterationSummary = z.infer<typeof IterationSummary>;

/** What a rule of the run decided, and what a person decided about a rule. */
export const RunDecision = z.strictObject({
  /** Last sealed iteration when it was taken; -1 = none yet. */
  after: z.int().min(-1),
  action: z.enum(['stop', 'roll-back', 'warn', 'wait', 'raise']),
  rule: z.enum(['iterations', 'plateau', 'regression', 'budget']),
  /** roll-back: the iteration whose model goes on. */
  to: z.int().nonnegative().optional(),
  reason: z.string(),
});
export type RunDecision = z.infer<typeof RunDecision>;

export const RunStatus = z.enum([
  'running',
  'paused',
  'waiting',
  'done',
  'failed',
  'stopped',
  'cancelled',
  'terminated',
]);
export type RunStatus = z.infer<typeof RunStatus>;

/** Of a run that nothing can move any more. */
export const isFinal = (status: RunStatus): boolean => !['running', 'paused', 'waiting'].includes(status);

/** A stage as it stands in a running iteration. */
export const StageProgress = z.strictObject({
  kind: StageKind,
  state: z.enum(['pending', 'running', 'done']),
  shardsDone: z.int(),
  shards: z.int(),
});
export type StageProgress = z.infer<typeof StageProgress>;

/** Answer of the `progress` query, of starRun and of starIteration. */
export const Progress = z.strictObject({
  runId: z.string(),
  status: RunStatus,
  recipe: z.string(),
  task: z.string(),
  seed: z.int(),
  /** Iteration under way; null before the first and after the last. */
  iteration: z.int().nullable(),
  iterations: z.int(),
  /** Workflow id of the iteration under way. */
  child: z.string().nullable(),
  /** Why it waits or why it ended, in a sentence. */
  reason: z.string().nullable(),
  records: z.array(IterationSummary),
  decisions: z.array(RunDecision).optional(),
});
export type Progress = z.infer<typeof Progress>;
export const IterationProgress = z.strictObject({ iteration: z.int(), stages: z.record(z.string(), StageProgress) });
export type IterationProgress = z.infer<typeof IterationProgress>;

/** What stays in the store when Temporal has forgotten the run; `show`, `ledger`, `report`, `list` read this alone. */
export const RunDocument = z.strictObject({
  format: z.literal(1),
  runId: z.string(),
  workflowId: z.string(),
  status: RunStatus,
  reason: z.string().nullable(),
  recipe: z.string(),
  task: z.string(),
  seed: z.int(),
  iterations: z.array(IterationRecord),
  best: z.strictObject({ n: z.int(), accuracy: z.number() }).nullable(),
  ledgerDigest: Digest.nullable(),
  weightsDigest: Digest.nullable(),
  fingerprint: z.string(),
  input: RunInput,
  resolved: ResolvedRun.nullable(),
  /** Of the stopping rules, in their order; absent in documents of before they stood here. */
  decisions: z.array(RunDecision).optional(),
  /** ISO times; they stand in no digest. */
  startedAt: z.string(),
  updatedAt: z.string(),
});
export type RunDocument = z.infer<typeof RunDocument>;

export const WORKFLOWS = {
  run: 'starRun',
  iteration: 'starIteration',
  fanOut: 'fanOut',
  replay: 'starReplay',
} as const;
export const UPDATES = {
  pause: 'pause',
  resume: 'resume',
  stop: 'stop',
  retryIteration: 'retryIteration',
  abandon: 'abandon',
} as const;
export const QUERIES = { progress: 'progress' } as const;
export const StopInput = z.strictObject({ now: z.boolean().default(false) });
export const RetryInput = z.strictObject({ set: z.record(z.string(), z.unknown()).default({}) });

export const emptyTally = (): Tally => ({ correct: 0, judged: 0, unjudged: 0 });
