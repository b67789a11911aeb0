/**
 * The engine on TensorFlow, in this process; `engine/host.ts` runs it in a child.
 *
 * Requests run one at a time, in order: the library's threads are shared, and two at once would only slow each other.
 * The two models used last stay loaded, so that shards of one stage, and a stage and its evaluation, load once.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import { ToolName } from '../../schemas/tools.ts';
import { OBJECTIVES } from '../engine.ts';
import type { Engine, EngineControl, EngineDescription, LocalCheckpoint, SampleRequest } from '../engine.ts';
import { DECODER_VERSION, LARGEST_SLOTS } from './decoder.ts';
import { threads } from './native.ts';
import { libraryVersion } from './raw.ts';
import { TRAINER_VERSION } from './optimizer.ts';
import { readModel } from './adapter-file.ts';
import { Sampler } from './sampler.ts';

const LOADED_MODELS = 2;

/**
 * @returns an engine whose answers are a function of the request at one fingerprint.
 * Throws what `Engine` says; `CheckpointInvalid` where the file is torn, missing or of another architecture.
 */
export function createTfjsEngine(): Engine {
  /** Least recently used first. */
  const loaded = new Map<string, Sampler>();
  let last: Promise<unknown> = Promise.resolve();

  const inTurn = <X>(signal: AbortSignal | undefined, work: () => Promise<X>): Promise<X> => {
    const mine = last.then(() => {
      signal?.throwIfAborted();
      return work();
    });
    last = mine.catch(() => undefined);
    return mine;
  };

  const load = async (model: LocalCheckpoint, onWork: () => void): Promise<Sampler> => {
    const known = loaded.get(model.digest);
    const sampler = known ?? new Sampler(await readModel(model), onWork);
    loaded.delete(model.digest);
    loaded.set(model.digest, sampler);
    for (const [digest, oldest] of loaded) {
      if (loaded.size <= LOADED_MODELS) break;
      loaded.delete(digest);
      oldest.close();
    }
    return sampler;
  };

  const onModel = <T>(
    { model, rows }: Pick<SampleRequest, 'model'> & { rows: readonly unknown[] },
    control: EngineControl | undefined,
    work: (sampler: Sampler) => Promise<T>,
  ): Promise<T> =>
    inTurn(control?.signal, async () => {
      // Reading and unpacking a model is one long step: it counts as progress where it begins and where it ends.
      const idle = { done: 0, total: rows.length, tokensPerSecond: 0 };
      const onWork = () => control?.onProgress?.(idle);
      onWork();
      const sampler = await load(model, onWork);
      onWork();
      return work(sampler);
    });

  return {
    learns: OBJECTIVES,
    tools: ToolName.options,

    describe: () => Promise.resolve(describeTfjs()),

    sample: (request, control) => onModel(request, control, (sampler) => sampler.sample(request, control)),

    score: (request, control) => onModel(request, control, (sampler) => sampler.score(request.rows, control)),

    costs: (request, control) =>
      inTurn(control?.signal, async () => {
        const { costsOf } = await import('./quiet-scorer.ts');
        return costsOf(await readModel(request.model), request.rows, control);
      }),

    train: (request, control) =>
      inTurn(control?.signal, async () => {
        // Loaded late: sampling alone does not need it.
        const { train } = await import('./trainer.ts');
        return train(request, control);
      }),

    close: async () => {
      await last;
      for (const sampler of loaded.values()) sampler.close();
      loaded.clear();
    },
  };
}

/** Everything known to move a bit; Node itself does not (see portable-math.ts). */
export function describeTfjs(): EngineDescription {
  const require = createRequire(import.meta.url);
  const { version } = require('@tensorflow/tfjs-node-gpu/package.json') as { version: string };
  const limits = [
    'TF_ENABLE_ONEDNN_OPTS',
    'ONEDNN_MAX_CPU_ISA',
    'DNNL_MAX_CPU_ISA',
    'ONEDNN_DEFAULT_FPMATH_MODE',
    'STARTRAIL_ENGINE_GRAPH',
  ]
    .filter((name) => process.env[name] !== undefined)
    .map((name) => `${name}=${process.env[name]}`);
  const facts = [
    `tfjs ${version}`,
    `TensorFlow ${libraryVersion}`,
    `${process.arch} ${instructionSets().join('+') || 'baseline'}`,
    `onednn ${process.env.TF_ENABLE_ONEDNN_OPTS === '0' ? 'off' : 'on'}`,
    ...limits,
    `${threads} threads`,
    `decoder v${DECODER_VERSION}`,
    `trainer v${TRAINER_VERSION}`,
    `${LARGEST_SLOTS} slots`,
  ];
  const hash = createHash('sha256').update(facts.join('\n')).digest('hex').slice(0, 12);
  return { name: 'tfjs', fingerprint: `${facts.join(', ')} (${hash})`, deterministic: true };
}

/** What oneDNN and Eigen choose their kernels by. */
function instructionSets(): string[] {
  try {
    const flags = new Set(/^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.trim().split(/\s+/));
    if (flags.size > 0)
      return ['fma', 'avx2', 'avx512f', 'avx512_vnni', 'avx512_bf16', 'avx512_fp16', 'amx_tile'].filter((flag) =>
        flags.has(flag),
      );
  } catch {
    // Not Linux: the model's name stands in for its instruction sets.
  }
  return [os.cpus()[0]?.model ?? 'unknown CPU'];
}
