/**
 * `fork <run> --from <n> [--set …]`: a new run that shares iterations 0…n−1 with another and does n first, with its options
 * and its seed. What the change does not touch is answered by the memo; how much that was is told at the end.
 */
import { planFork } from '../activities/plan-fork.ts';
import type { ForkInput } from '../activities/plan-fork.ts';
import type { RunDocument } from '../schemas/run.ts';
import { taskById } from '../tasks/index.ts';
import { checkDisk } from './disk.ts';
import { readRun, runIds } from './document.ts';
import { estimate } from './estimate.ts';
import { followToEnd } from './finish.ts';
import { checkEngine } from './parts.ts';
import type { Context } from './parts.ts';
import { asInput } from './plan.ts';
import { shapeOf } from '../schemas/port-values.ts';
import { resolvedRun, reusedLine, storedRun } from './recorded.ts';
import { beginRun } from './start.ts';

export interface ForkOptions {
  from: number;
  set?: [string, unknown][];
  iterations?: number;
  runId?: string;
  onFailure?: 'wait' | 'fail';
}

export function forkInput(origin: RunDocument, options: ForkOptions): ForkInput {
  const { resolved, input, runId } = resolvedRun(origin);
  return {
    ...input,
    parameters: resolved.context.parameters,
    engine: resolved.context.engine,
    // What the origin was asked for stands in its resolved recipe, from which the fork goes on.
    iterations: options.iterations,
    shardSize: undefined,
    set: Object.fromEntries(options.set ?? []),
    onFailure: options.onFailure ?? input.onFailure,
    fork: { run: runId, from: options.from },
  };
}

/** `<origin>-f<from>-<k>` with the smallest k that no run has. */
export function chooseForkId(origin: string, from: number, taken: readonly string[]): string {
  const stem = `${origin.slice(0, 85)}-f${from}`;
  for (let k = 1; ; k++) if (!taken.includes(`${stem}-${k}`)) return `${stem}-${k}`;
}

/** How many iterations are shared. Throws InvalidInput, EngineUnavailable, StoreFull, NothingRecorded; starts nothing. */
export async function checkFork(context: Context, origin: RunDocument, input: ForkInput): Promise<number> {
  const { filled, shared } = await asInput(() => planFork(resolvedRun(origin), input));
  const { context: before, fresh } = resolvedRun(origin).resolved;
  const { parameters, engine } = before;
  checkEngine(context, engine);
  // As for a run of its own, though a part of it is shared; a task that only the workers have is not known here.
  const task = taskById(origin.task);
  const { vocabSize } = shapeOf(fresh);
  checkDisk(context.home, task ? estimate({ filled, task, parameters, engine, vocabSize }, []).diskBytes : 0);
  return shared.length;
}

export async function fork(context: Context, origin: string, options: ForkOptions): Promise<number> {
  const { terminal } = context;
  const { store, document } = await storedRun(context, origin);
  const input = forkInput(document, options);
  const shared = await checkFork(context, document, input);
  const taken = await runIds(store);
  const choose = (names: string[]) => chooseForkId(origin, options.from, names);
  const { session, runId, leaving } = await beginRun(context, 'fork', input, { wanted: options.runId, choose, taken });
  terminal.say(`fork ${runId} started; it shares ${shared} iterations (0 to ${shared - 1}) with ${origin}`);
  const code = await followToEnd(context, session, runId, 'fork', leaving, input);
  const ended = await readRun(store, runId);
  for (const line of ended ? sharedWork(ended, options.from) : []) terminal.say(line);
  return code;
}

/** A line for each iteration of the fork's own that the memo could answer in part. */
export function sharedWork(document: RunDocument, from: number): string[] {
  return document.iterations.slice(from).flatMap(({ n, stages, shards }) => {
    if (stages === undefined || shards.reused === 0) return [];
    return `iteration ${n}: ${reusedLine(stages, shards, ' stages')}`;
  });
}
