/**
 * Sampling for generate, rationalize and evaluate: rows with seeds of their own, the checkpoint opened from the store.
 * Seeds are H(run seed, stage, iteration, problem, sample): another shard size or worker gives the same completions.
 */
import type { Completion, LocalCheckpoint } from '../engine/engine.ts';
import type { ArtifactRef } from '../schemas/artifact.ts';
import { Problem } from '../schemas/problem.ts';
import { Rationale } from '../schemas/rationale.ts';
import type { StageInput, StageKind } from '../schemas/stage.ts';
import type { FreshModel, PretrainedModel, Slice } from '../schemas/port-values.ts';
import type { Model } from '../schemas/checkpoint.ts';
import { readRows, writeRows } from '../store/rows.ts';
import type { Store } from '../store/store.ts';
import { failure } from './failures.ts';
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
  samples: number;
  temperature: number;
  topP: number;
}

/** What sampling needs of a shard, whatever its kind. */
export type SamplingShard = Pick<ShardWork<StageKind>, 'task' | 'deps' | 'engine' | 'busy' | 'control'> & {
  input: Pick<StageInput, 'run' | 'kind' | 'iteration'>;
};

/** One rationale per problem and sample, in the order of the problems. */
export async function sampleRationales(shard: SamplingShard, plan: SamplingPlan): Promise<Rationale[]> {
  const { task, input } = shard;
  const wanted = plan.problems.flatMap((problem) =>
    Array.from({ length: plan.samples }, (_, sample) => ({ problem, sample })),
  );
  if (wanted.length === 0) return [];
  const engine = await shard.engine();
  const parameters: unknown = task.parameters.parse(input.run.parameters);
  const prefix = task.prompt.shots?.(plan.hinted ? 'hinted' : 'free', parameters) ?? '';
  const model = await openModel(shard.deps.store, plan.model);
  const completions = await shard.busy('engine', () =>
    engine.sample(
      {
        model,
        ...(prefix !== '' && { prefix }),
        ...(task.stop && { stop: task.stop }),
        sampling: { temperature: plan.temperature, topP: plan.topP },
        rows: wanted.map(({ problem, sample }) => ({
          prompt: plan.hinted ? task.prompt.hinted(problem) : task.prompt.free(problem),
          seed: seedOf(input.run.seed, input.kind, input.iteration, problem.id, sample),
          maxNewTokens: task.maxNewTokens(problem),
        })),
      },
      shard.control,
    ),
  );
  return wanted.map(({ problem, sample }, i) => toRationale(problem, sample, plan.hinted, completions[i]));
}

function toRationale(problem: Problem, sample: number, hinted: boolean, completion: Completion | undefined): Rationale {
  if (!completion)
    return { problem, sample, hinted, text: '', tokens: [], finish: 'failed', cause: 'the engine gave no completion' };
  const { text, tokenIds, finish } = completion;
  return { problem, sample, hinted, text, tokens: tokenIds, finish };
}

/** The activity of generate and of rationalize: they differ in the prompt alone. */
export async function sampleStage(shard: ShardWork<'generate' | 'rationalize'>, hinted: boolean) {
  const { inputs, options } = shard.input;
  const { store } = shard.deps;
  const earlier = shard.previous
    ? await readRows(store, wholeOf(shard.previous.outputs.rationales), Rationale)
    : undefined;
  const kept = new Map(earlier?.filter((row) => row.finish !== 'failed').map((row) => [keyOf(row), row]));
  const problems = await readRows(store, inputs.problems, Problem);
  const missing = problems.filter((problem) =>
    Array.from({ length: options.samples }, (_, sample) => `${problem.id}/${sample}`).some((key) => !kept.has(key)),
  );
  const fresh = await sampleRationales(shard, {
    problems: missing,
    model: trainedModel(inputs.model),
    hinted,
    samples: options.samples,
    temperature: options.temperature,
    topP: options.topP,
  });
  const sampled = new Map(fresh.map((row) => [keyOf(row), row]));
  const rows = problems.flatMap((problem) =>
    Array.from({ length: options.samples }, (_, sample) => {
      const key = `${problem.id}/${sample}`;
      return kept.get(key) ?? (sampled.get(key) as Rationale);
    }),
  );
  return {
    outputs: { rationales: await writeRows(store, rows) },
    tokens: fresh.reduce((sum, row) => sum + row.tokens.length, 0),
    partial: rows.some((row) => row.finish === 'failed'),
  };
}

const keyOf = (row: Rationale): string => `${row.problem.id}/${row.sample}`;

/** All rows of one shard. */
export const wholeOf = (ref: { digest: string; bytes: number; rows?: number | undefined }): Slice => ({
  shards: [ref],
  from: 0,
  to: ref.rows ?? 0,
});
