/**
 * What the command engine and a trainer say to each other: plain JSON, so that any program can be the trainer.
 *
 *   trainer describe               prints one line: {"fingerprint":"transformers 5.1, torch 2.9, cpu","deterministic":true}
 *   trainer train work/train.json  prints lines: {"event":"progress",…}, at the end {"event":"done",…} or {"event":"failed",…}
 *
 * What decides the weights is fixed by the engine and stands in the files: token ids, which rows make up each step, the rate of
 * each step, the adapter to start from. The trainer computes. It ends when its standard input closes (its owner is gone) and on
 * SIGTERM; begun again with the same `resume` it goes on. Other output belongs on standard error. docs/howto/engines.md.
 */
import { z } from 'zod';
import type { TrainSchedule } from '../../schemas/checkpoint.ts';

/** `train.json`. Paths are absolute. */
export interface TrainSpec {
  format: 1;
  /** Folder as transformers loads it: config.json, model.safetensors. */
  base: string;
  /** JSON lines {"prompt":[ids],"completion":[ids]}: the loss is over the completion, its end token included. */
  rows: string;
  /** JSON lines, one for each step: the row numbers of the whole optimizer batch. */
  batches: string;
  /** JSON lines of the same rows as text, for trainers that tokenise themselves. */
  texts: string;
  /** true: those texts are messages of a chat in the model's own template, which `rows` hold already. */
  chat?: boolean;
  schedule: TrainSchedule;
  /** The rate of each step, warm-up and decay applied. */
  learningRates: number[];
  /** Present: the base stays as it is, and this adapter (PEFT's names) learns. */
  adapter?: { rank: number; alpha: number; start: string };
  seed: string;
  /** Folder to be made: model.safetensors, or adapter_model.safetensors; float32. */
  output: string;
  /** Snapshots go here every so often, each whole or not at all; older attempts may still be writing. */
  resume?: { folder: string; everyMs: number; attempt: number };
}

export const Described = z.object({ fingerprint: z.string().min(1), deterministic: z.boolean() });

export const TrainerLine = z.discriminatedUnion('event', [
  z.object({
    event: z.literal('progress'),
    /** Steps that are done. */
    step: z.int().nonnegative(),
    total: z.int().nonnegative(),
    loss: z.number().nullish(),
    tokensPerSecond: z.number().nonnegative().default(0),
  }),
  z.object({
    event: z.literal('done'),
    steps: z.int().nonnegative(),
    resumedFrom: z.int().nonnegative().default(0),
    /** Mean loss per completion token over the last tenth of the steps. */
    finalLoss: z.number().nullable(),
    /** Tokens that were read by this call, padding apart. */
    tokens: z.int().nonnegative(),
  }),
  z.object({
    event: z.literal('failed'),
    code: z.enum(['TrainingDiverged', 'TrainingDataInvalid', 'CheckpointInvalid', 'EngineUnavailable']),
    message: z.string(),
  }),
]);
export type TrainerLine = z.infer<typeof TrainerLine>;
export type TrainerDone = Extract<TrainerLine, { event: 'done' }>;
