/**
 * Training by any program that keeps contract.ts: `trainers/transformers`, one of your own under torchrun, a job on a cluster.
 *
 *   const engine = createCommandEngine({ name: 'trainer', settings: { kind: 'command', command: ['python', 'train.py'], … } });
 *   await engine.train(request, { signal });
 *
 * The checkpoint that comes back is one of ours, with the base's config and tokenizer, so that the tfjs engine loads what the
 * program trained. Limits: Llama, Mistral, Qwen2 and Qwen3 (export.ts); a model that fits this process once in float32; it does not sample
 * (see split.ts).
 */
import { createWriteStream } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { CommandSettings } from '../../schemas/engine-settings.ts';
import type { Engine, EngineControl, EngineDescription, TrainRequest, TrainResult } from '../engine.ts';
import { EngineError } from '../engine.ts';
import { writeAdapter } from '../tfjs/adapter-file.ts';
import { adapterShapes, initialAdapter } from '../tfjs/adapter.ts';
import { BatchOrder, readRows } from '../tfjs/batches.ts';
import { exportFolder } from '../tfjs/export.ts';
import { gently } from '../tfjs/gently.ts';
import { parameterShapes } from '../tfjs/parameters.ts';
import { hubConfig } from '../tfjs/pretrained/hub-config.ts';
import { HUB_NAMES } from '../tfjs/pretrained/names.ts';
import { digestSteps, exactTensors, readSafetensors, writeCheckpoint, writeSafetensors } from '../tfjs/safetensors.ts';
import type { Checkpoint } from '../tfjs/safetensors.ts';
import { learningRateAt } from '../tfjs/schedule.ts';
import { openForm } from '../tfjs/prompt-form.ts';
import { startingPoint } from '../tfjs/start.ts';
import { Described, TrainerLine } from './contract.ts';
import type { TrainerDone, TrainSpec } from './contract.ts';
import { call } from './process.ts';

export interface CommandOptions {
  /** As declared, for messages. */
  name: string;
  settings: CommandSettings;
}

export function createCommandEngine({ name, settings }: CommandOptions): Engine {
  const closing = new AbortController();
  const { command, hungAfterMs } = settings;
  let description: Promise<EngineDescription> | undefined;

  const run = (args: string[], onLine: (line: string) => void, signal?: AbortSignal) =>
    call({
      command,
      args,
      hungAfterMs,
      onLine,
      name,
      signal: signal ? AbortSignal.any([signal, closing.signal]) : closing.signal,
    });

  const ask = async (): Promise<EngineDescription> => {
    let found: EngineDescription | undefined;
    await run(['describe'], (line) => {
      const { data } = Described.safeParse(jsonOf(line));
      if (data)
        found = { name: 'command', deterministic: data.deterministic, fingerprint: `command: ${data.fingerprint}` };
    });
    if (!found)
      throw new EngineError(
        'EngineUnavailable',
        `engine ${name}: its \`describe\` printed no {"fingerprint","deterministic"}`,
      );
    return found;
  };

  return {
    async describe() {
      description ??= ask();
      try {
        return await description;
      } catch (error) {
        description = undefined;
        throw error;
      }
    },
    sample: () =>
      Promise.reject(
        new EngineError(
          'EngineUnavailable',
          `engine ${name} trains and does not sample; declare a split engine whose sample names one that does`,
        ),
      ),
    train: (request, control) => train(run, name, request, control),
    close() {
      closing.abort(new EngineError('EngineDied', `engine ${name} was closed`));
      return Promise.resolve();
    },
  };
}

type Run = (args: string[], onLine: (line: string) => void, signal?: AbortSignal) => Promise<void>;

async function train(run: Run, name: string, request: TrainRequest, control: EngineControl = {}): Promise<TrainResult> {
  control.signal?.throwIfAborted();
  const { schedule, outputPath } = request;
  if (request.preference ?? request.policy ?? request.rewardModel ?? request.quiet)
    throw new EngineError(
      'TrainingDataInvalid',
      `engine ${name} learns completions, neither preferences nor by rewards nor reward models nor thoughts; give the run an engine that trains with tfjs`,
    );
  const model = await startingPoint(request);
  const folder = `${outputPath}.work`;
  await rm(folder, { recursive: true, force: true });
  const spec = await writeWork(folder, request, model);
  const file = path.join(folder, 'train.json');
  await writeFile(file, JSON.stringify(spec));
  let done: TrainerDone | undefined;
  const onLine = (line: string) => {
    const { data } = TrainerLine.safeParse(jsonOf(line));
    if (!data) return; // libraries print what they like
    if (data.event === 'failed') throw new EngineError(data.code, `engine ${name}: ${data.message}`);
    if (data.event === 'done') done = data;
    else control.onProgress?.({ done: data.step, total: data.total, tokensPerSecond: data.tokensPerSecond });
  };
  await run(['train', file], onLine, control.signal);
  if (!done) throw new EngineError('EngineDied', `engine ${name}: the trainer ended without saying that it is done`);
  const digest = await takeOver(request, model, spec);
  await rm(folder, { recursive: true, force: true });
  const { steps, resumedFrom, finalLoss, tokens } = done;
  if (steps !== schedule.steps)
    throw new EngineError('EngineDied', `engine ${name}: the trainer did ${steps} of ${schedule.steps} steps`);
  return { weightsDigest: digest, steps, resumedFrom, finalLoss, learningRates: spec.learningRates, tokens };
}

/** Everything the trainer reads. */
async function writeWork(folder: string, request: TrainRequest, model: Checkpoint): Promise<TrainSpec> {
  const { schedule, seed, adapter, dataPath, resume } = request;
  const at = (name: string) => path.join(folder, name);
  await mkdir(folder, { recursive: true });
  const { family } = hubConfig(model.config, model.tokenizer);
  // What comes back is read by our names.
  if (Object.keys(HUB_NAMES[family]).length > 0)
    throw new EngineError(
      'CheckpointInvalid',
      `a ${family} model is not trained by a command yet; give a Llama, Mistral or Qwen, or train it with the tfjs engine`,
    );
  await exportFolder(model, at('base'));
  const rows =
    schedule.steps === 0 ? [] : await readRows(dataPath, openForm(model.tokenizer, request.chat), model.config);
  const order = new BatchOrder(rows, schedule.batchSize, seed);
  const steps = Array.from({ length: schedule.steps }, (_, step) => step);
  await lines(at('rows.jsonl'), rows, ({ tokens, promptLength }) => ({
    prompt: [...tokens.subarray(0, promptLength)],
    completion: [...tokens.subarray(promptLength)],
  }));
  await lines(at('batches.jsonl'), steps, (step) => order.at(step));
  if (adapter)
    await writeSafetensors(at('adapter.safetensors'), {}, initialAdapter(model.config, adapter, seed).values());
  if (resume) await mkdir(resume.folder, { recursive: true });
  return {
    format: 1,
    base: at('base'),
    rows: at('rows.jsonl'),
    batches: at('batches.jsonl'),
    texts: dataPath,
    ...(request.chat && { chat: true }),
    schedule,
    learningRates: steps.map((step) => learningRateAt(schedule, step)),
    ...(adapter && { adapter: { ...adapter, start: at('adapter.safetensors') } }),
    seed,
    output: at('out'),
    ...(resume && { resume: { folder: resume.folder, everyMs: resume.everyMs, attempt: resume.attempt } }),
  };
}

async function lines<T>(file: string, items: readonly T[], of: (item: T) => unknown): Promise<void> {
  await pipeline(function* () {
    for (const item of items) yield `${JSON.stringify(of(item))}\n`;
  }, createWriteStream(file));
}

/** What the trainer wrote, checked, as a checkpoint of ours. Gives the digest of the weights. */
async function takeOver(
  { adapter, outputPath }: TrainRequest,
  model: Checkpoint,
  { output }: TrainSpec,
): Promise<string> {
  const file = path.join(output, adapter ? 'adapter_model.safetensors' : 'model.safetensors');
  const { tensors: found } = await readSafetensors(file);
  // A tied output layer is the embedding, whether it is written twice or not.
  if (model.config.tiedEmbeddings) found.delete('lm_head.weight');
  if (adapter) {
    const tensors = exactTensors(file, found, adapterShapes(model.config, adapter));
    return writeAdapter(outputPath, { options: adapter, base: model, tensors });
  }
  const tensors = exactTensors(file, found, parameterShapes(model.config));
  await writeCheckpoint(outputPath, { ...model, tensors });
  return gently(digestSteps(tensors.values()));
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
