/**
 * What every stage's activity has around it: the memo asked first, the run's fingerprint held against this worker's, a
 * heartbeat each second from the parent process while the engine works in its child, cancellation, spans.
 */
import { Context } from '@temporalio/activity';
import { EngineError } from '../engine/engine.ts';
import type { Engine, EngineControl, EngineProgress } from '../engine/engine.ts';
import type { StageInput, StageKind, StageOutput } from '../schemas/stage.ts';
import type { Slice } from '../schemas/port-values.ts';
import { flatSlice } from '../store/manifest.ts';
import { memoised } from '../store/memo.ts';
import { implementationDigest } from '../tasks/implementation.ts';
import type { Store } from '../store/store.ts';
import type { Task } from '../tasks/task.ts';
import type { Dependencies } from './dependencies.ts';
import { failure, rethrow } from './failures.ts';
import { beating } from './heartbeat.ts';
import { shardMetrics } from './metrics.ts';

export interface ShardWork<K extends StageKind> {
  deps: Dependencies;
  input: StageInput<K>;
  task: Task;
  parameters: unknown;
  /** The output of an earlier attempt that held unjudged rows. */
  previous: StageOutput<K> | undefined;
  /** Cancellation and progress, to hand to an engine. */
  control: Required<Pick<EngineControl, 'signal' | 'onProgress'>>;
  /** The run's engine, once its fingerprint has been found to be the run's. */
  engine(): Promise<Engine>;
  /** Measures the time in which an engine or verifier is really busy. */
  busy<T>(what: 'engine' | 'verifier', work: () => Promise<T>): Promise<T>;
}

type Outcome<K extends StageKind> = Omit<StageOutput<K>, 'reused' | 'seconds'>;

interface Stopwatch {
  /** When it was started, ISO 8601. */
  at: string;
  seconds(): number;
}
/** Not by the clock, which may be set while it runs: work of minus an hour could never be written down. */
function stopwatch(): Stopwatch {
  const from = performance.now();
  return { at: new Date().toISOString(), seconds: () => (performance.now() - from) / 1000 };
}

/** Wraps the work of a stage kind into its activity. */
export function stageActivity<K extends StageKind>(
  deps: Dependencies,
  work: (shard: ShardWork<K>) => Promise<Outcome<K>>,
  /** Runs once the memo has the output, also when it had it before: a kill in between loses no finished work. */
  afterwards?: (input: StageInput<K>) => Promise<void>,
): (input: StageInput<K>) => Promise<StageOutput<K>> {
  return async (asked) => {
    const context = Context.current();
    const { run } = asked;
    const fields = { run: run.runId, iteration: asked.iteration, stage: asked.stage, shard: asked.shard.index };
    let progress: EngineProgress = { done: 0, total: 0, tokensPerSecond: 0 };
    const span = (what: string, watch: Stopwatch) =>
      deps.span({ at: watch.at, what, ...fields, seconds: watch.seconds() });
    const whole = stopwatch();
    const metrics = shardMetrics(asked);
    const told = () => {
      metrics.progress(progress);
      return { stage: asked.stage, shard: asked.shard.index, ...progress };
    };
    const act = async () => {
      const task = taskOf(deps, run.task);
      await sameImplementation(task, run.implementation);
      const input = await flatInput(deps.store, asked);
      const done = async (previous: StageOutput<K> | undefined) => {
        const watch = stopwatch();
        const outcome = await work({
          deps,
          input,
          task,
          parameters: task.parameters.parse(run.parameters),
          previous,
          control: { signal: context.cancellationSignal, onProgress: (next) => (progress = next) },
          engine: () => engineOf(deps, run.engine, run.fingerprint),
          busy: async (what, engage) => {
            const engaged = stopwatch();
            try {
              return await (deps.trace ? deps.trace(what, fields, engage) : engage());
            } finally {
              span(what, engaged);
            }
          },
        });
        return { ...outcome, seconds: watch.seconds() };
      };
      const output = await memoised<K>(deps.store, input, done, asked);
      await afterwards?.(input);
      metrics.done(output);
      deps.log.info('shard done', { ...fields, reused: output.reused, seconds: output.seconds, tokens: output.tokens });
      return output;
    };
    try {
      return await beating(act, told);
    } catch (thrown) {
      const error = await storesWord(deps.store, asked, thrown);
      deps.log.warn('shard failed', { ...fields, error: String(error) });
      rethrow(error);
    } finally {
      metrics.end();
      span('activity', whole);
    }
  };
}

/**
 * An engine that cannot read a file calls it invalid. Whether it is, or has gone between its opening and its reading, the store
 * knows: what it says then is returned in the place of the engine's error.
 */
async function storesWord(store: Store, { inputs, carried }: StageInput, error: unknown): Promise<unknown> {
  if (!(error instanceof EngineError) || error.code !== 'CheckpointInvalid') return error;
  const digests = JSON.stringify([inputs, carried]).match(/sha256:[0-9a-f]{64}/g) ?? [];
  try {
    for (const digest of new Set(digests)) if (!(await store.has(digest))) await store.open(digest);
    return error;
  } catch (found) {
    return found;
  }
}

/** The input with shards for manifests: what a shard's output depends on is its rows, not the lists they stand in. */
async function flatInput<K extends StageKind>(store: Store, input: StageInput<K>): Promise<StageInput<K>> {
  const inputs: Record<string, unknown> = {};
  for (const [port, value] of Object.entries(input.inputs as Record<string, unknown>))
    inputs[port] =
      typeof value === 'object' && value !== null && 'from' in value ? await flatSlice(store, value as Slice) : value;
  return { ...input, inputs: inputs as StageInput<K>['inputs'] };
}

export function taskOf(deps: Dependencies, id: string): Task {
  const task = deps.task(id);
  if (!task) throw failure('ImplementationChanged', `task ${id} is not on this worker; start a worker that has it`);
  return task;
}

/** Taken once: what runs is what was loaded when the worker started, whatever stands on disk by now. */
const implementations = new WeakMap<Task, Promise<string>>();

export function implementationOf(task: Task): Promise<string> {
  const known = implementations.get(task) ?? implementationDigest(task);
  implementations.set(task, known);
  return known;
}

async function sameImplementation(task: Task, expected: string): Promise<void> {
  const found = await implementationOf(task);
  if (found !== expected)
    throw failure(
      'ImplementationChanged',
      `the files of task ${task.id} are ${found} here, the run was started with ${expected}; ` +
        'put the old files back, or start a new run (it shares every stage the change does not touch)',
    );
}

export async function engineOf(deps: Dependencies, name: string, expected: string): Promise<Engine> {
  const engine = deps.engine(name);
  if (!engine) throw failure('FingerprintMismatch', `engine ${name} is not declared on this worker`);
  const { fingerprint } = await engine.describe();
  if (fingerprint !== expected)
    throw failure(
      'FingerprintMismatch',
      `engine ${name} is "${fingerprint}" here, the run was started on "${expected}"; run this worker where the run began, or start a new run`,
    );
  return engine;
}
