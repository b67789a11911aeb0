/** One training on an engine, for the kinds that train: rows to a file, a schedule of the options, the checkpoint to the store. */
import { open } from 'node:fs/promises';
import path from 'node:path';
import type { TrainRequest } from '../engine/engine.ts';
import { canonicalJson } from '../schemas/canonical.ts';
import type { Model, TrainSchedule } from '../schemas/checkpoint.ts';
import type { StageOptions } from '../schemas/stage.ts';
import type { FreshModel, PretrainedModel } from '../schemas/port-values.ts';
import { workNameOf } from '../store/memo-key.ts';
import { openModel, trainedModel } from './sample.ts';
import { seedOf } from './seed.ts';
import type { Dependencies } from './dependencies.ts';
import { stageActivity } from './shard.ts';
import type { ShardWork } from './shard.ts';

export type TrainingOptions = Pick<
  StageOptions<'fine-tune'>,
  Extract<keyof StageOptions<'fine-tune'>, keyof StageOptions<'prefer'>>
>;

/** Steps of iteration n (the base is n = 0 and takes the first): first · growth^(n−1) + add · (n−1), at most cap. */
export function stepsOf(options: Pick<TrainingOptions, 'steps'>, iteration: number): number {
  const { first, growth, add, cap } = options.steps;
  const later = Math.max(0, iteration - 1);
  // The small term keeps 40 · 1.2² from becoming 57 − 1e-14 and being cut to 56.
  return Math.min(Math.floor(first * growth ** later + 1e-9) + add * later, cap ?? Infinity);
}

const scheduleOf = (options: TrainingOptions, iteration: number): TrainSchedule => ({
  steps: stepsOf(options, iteration),
  learningRate: options.learningRate,
  warmupSteps: options.warmupSteps,
  decay: options.decay,
  batchSize: options.batchSize,
  ...(options.accumulate !== undefined && { accumulate: options.accumulate }),
  clipNorm: options.clipNorm,
  beta1: 0.9,
  beta2: options.beta2,
  epsilon: 1e-8,
});

/** Kinds that train on an engine. */
type TrainingKind = 'fine-tune' | 'prefer' | 'reward-model' | 'think';

/** The activity of a kind that trains: what it left on its way goes when the memo has the shard. */
export const trainingActivity =
  <K extends TrainingKind>(train: (shard: ShardWork<K>) => ReturnType<Parameters<typeof stageActivity<K>>[1]>) =>
  (deps: Dependencies) =>
    stageActivity<K>(deps, train, (input) => deps.store.dropScratch(workNameOf(input)));

export interface Training {
  from: Model | FreshModel | PretrainedModel;
  options: TrainingOptions;
  /** The engine's training rows, batch by batch. */
  rows: AsyncIterable<object[]>;
  preference?: TrainRequest['preference'];
  policy?: TrainRequest['policy'];
  rewardModel?: TrainRequest['rewardModel'];
  quiet?: TrainRequest['quiet'];
  chat?: TrainRequest['chat'];
}

/** Trains, with snapshots; the same shard begun again goes on from them. */
export async function trainOn(
  { deps, input, engine, control, busy }: { [K in TrainingKind]: ShardWork<K> }[TrainingKind],
  { from, options, rows, preference, policy, rewardModel, quiet, chat }: Training,
): Promise<{ model: Model; tokens: number; rows: number; steps: number }> {
  const { store } = deps;
  const { iteration, run } = input;
  const key = workNameOf(input);
  const folder = await store.scratch(key);
  // A zombie attempt may still be writing beside this one: what is written is named by the attempt.
  const attempt = nextAttempt();
  const dataPath = path.join(folder, `data-${attempt}.jsonl`);
  const outputPath = path.join(folder, `model-${attempt}.safetensors`);
  let count = 0;
  const data = await open(dataPath, 'w');
  try {
    for await (const batch of rows) {
      await data.writeFile(batch.map((row) => `${canonicalJson(row)}\n`).join(''));
      count += batch.length;
    }
  } finally {
    await data.close();
  }
  const trained = 'fresh' in from ? undefined : trainedModel(from);
  const base =
    options.adapter && trained
      ? { base: { checkpoint: trained.checkpoint, weightsDigest: trained.weightsDigest } }
      : {};
  const trainer = await engine();
  const start =
    'fresh' in from
      ? ({ kind: 'fresh', config: from.fresh, tokenizer: from.tokenizer } as const)
      : ({ kind: 'checkpoint', checkpoint: await openModel(store, trainedModel(from)) } as const);
  const result = await busy('engine', () =>
    trainer.train(
      {
        start,
        dataPath,
        ...(preference && { preference }),
        ...(policy && { policy }),
        ...(rewardModel && { rewardModel }),
        ...(quiet && { quiet }),
        ...(chat && { chat }),
        schedule: scheduleOf(options, iteration),
        ...(options.adapter && { adapter: options.adapter }),
        seed: seedOf(run.seed, input.kind, iteration),
        outputPath,
        resume: { folder: path.join(folder, 'snapshots'), key, everyMs: deps.snapshotEveryMs, attempt },
      },
      control,
    ),
  );
  const checkpoint = await store.adopt(outputPath);
  return {
    model: { checkpoint, weightsDigest: result.weightsDigest, ...base },
    tokens: result.tokens,
    rows: count,
    steps: result.steps,
  };
}

/** Larger than that of every earlier attempt on this machine, also across a re-delivery. */
const nextAttempt = (): number => Date.now();
