/**
 * fine-tune: trains a model from its base, with fresh moments and step 0, on seed rationales and what was kept.
 *
 * The rows stand in a fixed order (seeds, hinted seeds, kept rationales as drawn), so another shard size gives the same
 * weights. Nothing kept where something should have been: no training, the carried model goes on and says so.
 */
import { open } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { canonicalJson } from '../schemas/canonical.ts';
import type { TrainSchedule } from '../schemas/checkpoint.ts';
import { Example } from '../schemas/example.ts';
import { Problem } from '../schemas/problem.ts';
import type { StageOptions } from '../schemas/stage.ts';
import { workNameOf } from '../store/memo.ts';
import { readRows, rowBatches } from '../store/rows.ts';
import type { Task } from '../tasks/task.ts';
import type { Dependencies } from './dependencies.ts';
import { openModel, trainedModel } from './sample.ts';
import { seedOf } from './seed.ts';
import { stageActivity } from './shard.ts';
import type { ShardWork } from './shard.ts';

/** A seed triple as it stands in the run's `$seeds`. */
export const SeedRow = z.strictObject({ problem: Problem, rationale: z.string() });
export type SeedRow = z.infer<typeof SeedRow>;

/** Steps of iteration n (the base is n = 0 and takes the first): first · growth^(n−1) + add · (n−1), at most cap. */
export function stepsOf(options: StageOptions<'fine-tune'>, iteration: number): number {
  const { first, growth, add, cap } = options.steps;
  const later = Math.max(0, iteration - 1);
  // The small term keeps 40 · 1.2² from becoming 57 − 1e-14 and being cut to 56.
  return Math.min(Math.floor(first * growth ** later + 1e-9) + add * later, cap ?? Infinity);
}

/** Seed triples as training rows; a declared share of them, by rank of hash, also in the hinted form. */
export function seedExamples(task: Task, seeds: SeedRow[], hintedShare: number): Example[] {
  const row = ({ problem, rationale }: SeedRow, hinted: boolean): Example => ({
    problem: problem.id,
    identity: problem.identity,
    prompt: hinted ? task.prompt.hinted(problem) : task.prompt.free(problem),
    completion: rationale,
    origin: hinted ? 'seed-hinted' : 'seed',
  });
  const ranked = [...seeds].sort((x, y) => (seedOf('hinted', x.problem.id) < seedOf('hinted', y.problem.id) ? -1 : 1));
  const hinted = ranked.slice(0, Math.round(hintedShare * seeds.length));
  return [...seeds.map((seed) => row(seed, false)), ...hinted.map((seed) => row(seed, true))];
}

export const fineTune = (deps: Dependencies) =>
  stageActivity<'fine-tune'>(
    deps,
    (shard) => train(shard),
    (input) => deps.store.dropScratch(workNameOf(input)),
  );

async function train({ deps, input, task, engine, control, busy }: ShardWork<'fine-tune'>) {
  const { store } = deps;
  const { inputs, options, iteration, run } = input;
  if (inputs.examples && inputs.examples.to === inputs.examples.from && input.carried)
    return {
      outputs: { model: input.carried },
      tokens: 0,
      partial: false,
      trained: { rows: 0, steps: 0, carried: true },
    };
  const seeds = inputs.seeds ? await readRows(store, inputs.seeds, SeedRow) : [];
  const schedule: TrainSchedule = {
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
  };
  const key = workNameOf(input);
  const folder = await store.scratch(key);
  // A zombie attempt may still be writing beside this one: what is written is named by the attempt.
  const attempt = nextAttempt();
  const dataPath = path.join(folder, `data-${attempt}.jsonl`);
  const outputPath = path.join(folder, `model-${attempt}.safetensors`);
  let rows = 0;
  const data = await open(dataPath, 'w');
  try {
    const write = async (examples: Example[]) => {
      const lines = examples.map(({ prompt, completion, completionTokens }) =>
        canonicalJson({ prompt, completion, completionTokens }),
      );
      await data.writeFile(lines.map((line) => `${line}\n`).join(''));
      rows += lines.length;
    };
    await write(seedExamples(task, seeds, options.hintedSeeds));
    if (inputs.examples) for await (const kept of rowBatches(store, inputs.examples, Example)) await write(kept);
  } finally {
    await data.close();
  }
  const { from } = inputs;
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
        schedule,
        ...(options.prompt === 'chat' && { chat: true }),
        ...(options.adapter && { adapter: options.adapter }),
        seed: seedOf(run.seed, 'fine-tune', iteration),
        outputPath,
        resume: { folder: path.join(folder, 'snapshots'), key, everyMs: deps.snapshotEveryMs, attempt },
      },
      control,
    ),
  );
  const checkpoint = await store.adopt(outputPath);
  return {
    outputs: { model: { checkpoint, weightsDigest: result.weightsDigest, ...base } },
    tokens: result.tokens,
    partial: false,
    trained: { rows, steps: result.steps, carried: false },
  };
}

/** Larger than that of every earlier attempt on this machine, also across a re-delivery. */
const nextAttempt = (): number => Date.now();
