/**
 * Sampling for generate, rationalize and evaluate: rows with seeds of their own, the checkpoint opened from the store.
 * Seeds are H(run seed, stage, iteration, problem, sample): another shard size or worker gives the same completions.
 */
import type { Completion, LocalCheckpoint, SampleRequest, SampleRow } from '../engine/engine.ts';
import type { ArtifactRef } from '../schemas/artifact.ts';
import { BalanceRow, bestBalanced } from '../schemas/balance.ts';
import { Problem } from '../schemas/problem.ts';
import { Rationale } from '../schemas/rationale.ts';
import type { StageInput, StageInputs, StageKind } from '../schemas/stage.ts';
import { isChat } from '../schemas/stage-options.ts';
import type { EvaluationPrompt } from '../schemas/stage-options.ts';
import type { FreshModel, PretrainedModel, Slice } from '../schemas/port-values.ts';
import type { Model } from '../schemas/checkpoint.ts';
import { readRows, writeRows } from '../store/rows.ts';
import type { Store } from '../store/store.ts';
import type { Task } from '../tasks/task.ts';
import { MOST_CALLS } from '../schemas/tools.ts';
import type { ToolName } from '../schemas/tools.ts';
import { failure } from './failures.ts';
import { journalOf } from './journal.ts';
import type { Journal } from './journal.ts';
import { seedOf } from './seed.ts';
import type { ShardWork } from './shard.ts';

export function trainedModel(model: Model | FreshModel | PretrainedModel): Model {
  if (!('checkpoint' in model)) throw failure('RecipeInvalid', 'this stage needs a trained model, not $fresh');
  return model;
}

/** A model's files on this machine, its base's too where it is an adapter. */
export async function openModel(store: Store, { checkpoint, base }: Model): Promise<LocalCheckpoint> {
  const open = async ({ digest }: ArtifactRef) => ({ path: await store.open(digest), digest });
  return { ...(await open(checkpoint)), ...(base && { base: await open(base.checkpoint) }) };
}

export interface SamplingPlan {
  problems: Problem[];
  model: Model;
  hinted: boolean;
  /** What the hint is; absent = the answer. */
  hint?: 'tools' | undefined;
  tools?: { tools?: ToolName[]; toolCalls?: number; toolOutput?: 'random' };
  /** Absent = `shots`. */
  prompt?: EvaluationPrompt | undefined;
  samples: number;
  /** Number of a problem's first one; absent = 0. */
  firstSample?: number | undefined;
  temperature: number;
  topP: number;
  /** Keys (`keyOf`) of samples that are there already. */
  has?: (key: string) => boolean;
}

/** What stands before every question. The question itself is the same in all forms, the hint apart. */
function examplesFor(task: Task, { prompt = 'shots', hinted }: SamplingPlan, parameters: unknown): string {
  switch (prompt) {
    case 'shots':
    case 'chat-shots':
      return task.prompt.shots?.(hinted ? 'hinted' : 'free', parameters) ?? '';
    case 'direct':
      if (!task.prompt.direct) throw failure('RecipeInvalid', `task ${task.id} has no direct form`);
      return task.prompt.direct.shots(parameters);
    default:
      return '';
  }
}

function toolsFor({ tools, toolCalls, toolOutput }: NonNullable<SamplingPlan['tools']> = {}): Pick<
  SampleRequest,
  'tools'
> {
  if (!tools) return {};
  return { tools: { use: tools, atMost: toolCalls ?? MOST_CALLS, ...(toolOutput && { output: toolOutput }) } };
}

/** The prompt with the hint: the answer, or the nudge to use tools. Throws RecipeInvalid where the task has none. */
export function hintedPrompt(task: Task, problem: Problem, hint: 'tools' | undefined): string {
  if (hint === undefined) return task.prompt.hinted(problem);
  if (!task.prompt.nudged) throw failure('RecipeInvalid', `task ${task.id} has no nudge to use tools (prompt.nudged)`);
  return task.prompt.nudged(problem);
}

/** What sampling needs of a shard, whatever its kind. */
export type SamplingShard = Pick<ShardWork<StageKind>, 'task' | 'deps' | 'engine' | 'busy' | 'control'> & {
  input: Pick<StageInput, 'run' | 'kind' | 'iteration'>;
};

/** One rationale per problem and sample, in the order of the problems, and how many tokens they took. */
export async function sampleRationales(
  shard: SamplingShard,
  plan: SamplingPlan,
  journal?: Journal,
): Promise<{ rationales: Rationale[]; tokens: number }> {
  const { task, input, control } = shard;
  const wanted = plan.problems.flatMap((problem) =>
    samplesOf(plan)
      .map((sample) => ({ problem, sample }))
      .filter((row) => !plan.has?.(keyOf(row))),
  );
  if (wanted.length === 0) return { rationales: [], tokens: 0 };
  const rows = wanted.map(({ problem, sample }) => ({
    prompt: plan.hinted ? hintedPrompt(task, problem, plan.hint) : task.prompt.free(problem),
    seed: seedOf(input.run.seed, input.kind, input.iteration, problem.id, sample),
    maxNewTokens: task.maxNewTokens(problem),
  }));
  const completions = rows.map(({ seed }) => journal?.known.get(seed));
  const open = [...rows.keys()].filter((at) => completions[at] === undefined);
  if (open.length > 0) {
    const engine = await shard.engine();
    const parameters: unknown = task.parameters.parse(input.run.parameters);
    const prefix = examplesFor(task, plan, parameters);
    const model = await openModel(shard.deps.store, plan.model);
    const request: SampleRequest = {
      model,
      ...(prefix !== '' && { prefix }),
      ...(isChat(plan.prompt) && { chat: true }),
      ...(task.stop && { stop: task.stop }),
      ...toolsFor(plan.tools),
      sampling: { temperature: plan.temperature, topP: plan.topP },
      rows: open.map((at) => rows[at] as SampleRow),
    };
    const onCompletion = async (n: number, completion: Completion) => {
      // What failed is asked for again by the next attempt.
      if (completion.finish !== 'failed') await journal?.add(request.rows[n]!.seed, completion);
    };
    const sampled = await shard.busy('engine', () =>
      engine.sample(request, { ...control, ...(journal && { onCompletion }) }),
    );
    for (const [n, at] of open.entries()) completions[at] = sampled[n];
  }
  return {
    rationales: wanted.map(({ problem, sample }, i) => toRationale(problem, sample, plan.hinted, completions[i])),
    tokens: completions.reduce((sum, one) => sum + (one?.tokens ?? one?.tokenIds.length ?? 0), 0),
  };
}

function toRationale(problem: Problem, sample: number, hinted: boolean, completion: Completion | undefined): Rationale {
  const none: Completion = { text: '', tokenIds: [], finish: 'failed', cause: 'the engine gave no completion' };
  const { text, tokenIds, finish, cause, calls } = completion ?? none;
  const row = { problem, sample, hinted, text, tokens: tokenIds, finish, ...(cause !== undefined && { cause }) };
  return calls ? { ...row, calls } : row;
}

/** The activity of generate and of rationalize: they differ in the prompt alone. */
export async function sampleStage(shard: ShardWork<'generate' | 'rationalize'>, hinted: boolean) {
  const { inputs, options } = shard.input;
  const { store } = shard.deps;
  const earlier = shard.previous
    ? await readRows(store, wholeOf(shard.previous.outputs.rationales), Rationale)
    : undefined;
  const kept = earlier && new Map(earlier.filter((row) => row.finish !== 'failed').map((row) => [keyOf(row), row]));
  const problems = await readRows(store, inputs.problems, Problem);
  const fresh = await sampleRationales(
    shard,
    {
      problems,
      model: trainedModel(inputs.model),
      hinted,
      hint: 'hint' in options ? options.hint : undefined,
      tools: options,
      prompt: options.prompt,
      samples: options.samples,
      firstSample: options.firstSample,
      temperature: await temperatureOf(store, inputs, options.temperature),
      topP: options.topP,
      ...(kept && { has: (key: string) => kept.has(key) }),
    },
    await journalOf(shard),
  );
  const sampled = new Map(fresh.rationales.map((row) => [keyOf(row), row]));
  const rows = problems.flatMap((problem) =>
    samplesOf(options).map((sample) => {
      const key = keyOf({ problem, sample });
      return kept?.get(key) ?? (sampled.get(key) as Rationale);
    }),
  );
  return {
    outputs: { rationales: await writeRows(store, rows) },
    tokens: fresh.tokens,
    partial: rows.some((row) => row.finish === 'failed'),
  };
}

/** What was found best where somebody looked for it, else what is asked for. */
async function temperatureOf(
  store: Store,
  inputs: StageInputs<'generate' | 'rationalize'>,
  asked: number,
): Promise<number> {
  if (!('sampling' in inputs) || !inputs.sampling) return asked;
  return bestBalanced(await readRows(store, inputs.sampling as Slice, BalanceRow));
}

/** Their numbers. */
const samplesOf = ({ samples, firstSample = 0 }: Pick<SamplingPlan, 'samples' | 'firstSample'>): number[] =>
  Array.from({ length: samples }, (_, n) => firstSample + n);

export const keyOf = ({ problem, sample }: Pick<Rationale, 'problem' | 'sample'>): string => `${problem.id}/${sample}`;

/** All rows of one shard. */
export const wholeOf = (ref: { digest: string; bytes: number; rows?: number | undefined }): Slice => ({
  shards: [ref],
  from: 0,
  to: ref.rows ?? 0,
});
