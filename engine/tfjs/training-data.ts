/** The rows of a training request as its objective reads them: from the file to batches. */
import { readModel } from './adapter-file.ts';
import { assemble, readRows } from './batches.ts';
import type { Batch, Sized } from './batches.ts';
import { Decoder } from './decoder.ts';
import type { Aim } from './objective.ts';
import { assembleSamples, readSamples } from './policy.ts';
import type { PolicyAim } from './policy.ts';
import { assemblePairs, readPairs } from './preference.ts';
import { openForm } from './prompt-form.ts';
import { assembleThinking } from './quiet.ts';
import type { QuietAim } from './quiet.ts';
import { assembleLabelled, readLabelled } from './reward-model.ts';
import type { Checkpoint } from './safetensors.ts';
import { tokenLogProbabilities } from './scorer.ts';
import type { EngineControl, LocalCheckpoint, TrainRequest } from '../engine.ts';

export interface TrainingData {
  rows: readonly Sized[];
  /** A batch of rows by their numbers. */
  assemble(taken: readonly number[]): Batch;
}

/** What the request asks to minimise; undefined: the likelihood of completions. */
export function aimOf({
  preference,
  policy,
  rewardModel,
  quiet,
}: Pick<TrainRequest, 'preference' | 'policy' | 'rewardModel' | 'quiet'>): Aim | undefined {
  if (preference !== undefined) return { kind: 'preference', beta: preference.beta };
  if (rewardModel) return { kind: 'reward-model' };
  if (quiet !== undefined) return quietAim(quiet);
  return policy && policyAim(policy);
}

const policyAim = ({ ratio, kl }: NonNullable<TrainRequest['policy']>): PolicyAim => ({
  kind: 'policy',
  ...(ratio && { clip: ratio.clip }),
  ...(kl && { kl: kl.by }),
});

const quietAim = ({ marker: _, ...quiet }: NonNullable<TrainRequest['quiet']>): QuietAim => ({
  kind: 'quiet',
  ...quiet,
});

/** @throws as `readRows`; with frozen models EngineError CheckpointInvalid, and the signal's reason. */
export async function openData(
  { dataPath, preference, policy, rewardModel, quiet, chat }: TrainRequest,
  model: Checkpoint,
  control: EngineControl,
): Promise<TrainingData> {
  const form = openForm(model.tokenizer, chat);
  const { pad } = form;
  const dataOf = <R extends Sized>(rows: readonly R[], join: (rows: readonly R[], pad: number) => Batch) => ({
    rows,
    assemble: (taken: readonly number[]) =>
      join(
        taken.map((row) => rows[row]!),
        pad,
      ),
  });
  if (preference !== undefined) return dataOf(await readPairs(dataPath, form, model.config), assemblePairs);
  if (rewardModel) return dataOf(await readLabelled(dataPath, form, model.config), assembleLabelled);
  if (quiet !== undefined) {
    const { vocabSize } = model.config;
    return dataOf(await readRows(dataPath, form, model.config), (rows) =>
      assembleThinking(rows, pad, vocabSize, quietAim(quiet)),
    );
  }
  if (policy === undefined) return dataOf(await readRows(dataPath, form, model.config), assemble);
  const read = await readSamples(dataPath, form, model.config);
  /** The same numbers each time: a training that is taken up again makes them again, and goes on bit for bit. */
  const under = (frozen: LocalCheckpoint | undefined) => frozen && frozenScores(frozen, pad, read, control);
  const sampled = await under(policy.ratio?.sampler);
  const reference = await under(policy.kl?.reference);
  const samples = read.map((sample, n) => ({
    ...sample,
    ...(sampled && { sampled: sampled[n]! }),
    ...(reference && { reference: reference[n]! }),
  }));
  return dataOf(samples, (rows) => assembleSamples(rows, pad, policyAim(policy)));
}

/** Log-probabilities of the rows' tokens under a model that stays as it is. */
async function frozenScores(
  frozen: LocalCheckpoint,
  pad: number,
  rows: Parameters<typeof tokenLogProbabilities>[2],
  { signal, onProgress }: EngineControl,
): Promise<number[][]> {
  const decoder = new Decoder(await readModel(frozen), () =>
    onProgress?.({ done: 0, total: rows.length, tokensPerSecond: 0 }),
  );
  try {
    return await tokenLogProbabilities(decoder, pad, rows, {
      ...(signal && { signal }),
      // A sign of life: of the steps none is done.
      ...(onProgress && { onProgress: ({ tokensPerSecond }) => onProgress({ done: 0, total: 1, tokensPerSecond }) }),
    });
  } finally {
    decoder.close();
  }
}
