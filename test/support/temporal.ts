/** A real Temporal server for tests, and a worker with all roles on it whose engine and store a test chooses. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import type { WorkflowBundle } from '@temporalio/worker';
import type { WorkflowHandle } from '@temporalio/client';
import { expect } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import type { Dependencies, Span } from '../../activities/dependencies.ts';
import type { Engine } from '../../engine/engine.ts';
import { createScriptedEngine } from '../../engine/scripted.ts';
import { recipeById, recipeIds } from '../../recipes/index.ts';
import type { Problem } from '../../schemas/problem.ts';
import { QUERIES, RunDocument } from '../../schemas/run.ts';
import type { Progress, RunInput } from '../../schemas/run.ts';
import { locateTemporal } from '../../scripts/setup/locate.mjs';
import { createLocalStore } from '../../store/local.ts';
import type { Store } from '../../store/store.ts';
import { additionProblem } from '../../tasks/addition.ts';
import { taskById, taskIds } from '../../tasks/index.ts';
import type { Task } from '../../tasks/task.ts';
import { stageRules, taskQueues } from '../../temporal.config.ts';

let benches = 0;
let bundle: Promise<WorkflowBundle> | undefined;
const quiet = new DefaultLogger('ERROR');

/** A process has one runtime; what it says below an error is of no use to a test. */
export function quietRuntime(): void {
  try {
    Runtime.install({ logger: quiet, telemetryOptions: { logging: { forward: {}, filter: 'ERROR' } } });
  } catch {
    // installed earlier in this process
  }
}

export async function startServer(): Promise<TestWorkflowEnvironment> {
  quietRuntime();
  return TestWorkflowEnvironment.createLocal({
    server: { executable: { type: 'existing-path', path: temporalBinary() } },
  });
}

export function temporalBinary(): string {
  const executable = locateTemporal();
  if (!executable) throw new Error('no Temporal server on this machine; run: node scripts/setup.mjs');
  return executable;
}

/** A pseudo-random share of right scratchpads that grows with what a model was trained on: enough for a loop to turn. */
export function scriptedAdder(): Engine {
  const task = taskById('addition') as Task;
  const hash = (text: string) => [...text].reduce((h, c) => (Math.imul(h, 31) + c.charCodeAt(0)) >>> 0, 7);
  return createScriptedEngine({
    answer: (prompt, _row, model) => {
      const [, a = '0', b = '0'] = /^(\d+)\+(\d+)/.exec(prompt) ?? [];
      const problem: Problem = additionProblem(Number(a), Number(b), a.length);
      const gold = task.goldCompletion(problem);
      const luck = hash(`${model.digest}/${prompt}`) % 100;
      if (luck < 45) return gold;
      return gold.replace(/\d+$/, (sum) => String(Number(sum) + 1));
    },
  });
}

/** Made once per test process. */
export const workflowBundle = (): Promise<WorkflowBundle> =>
  (bundle ??= bundleWorkflowCode({
    workflowsPath: new URL('../../workflows/index.ts', import.meta.url).pathname,
    logger: quiet,
  }));

export interface Bench {
  env: TestWorkflowEnvironment;
  store: Store;
  spans: Span[];
  folder: string;
  /** Where workflows of this bench are to be started. */
  taskQueue: string;
  deps: Dependencies;
  /** Runs a worker of all roles while `work` runs. */
  during<T>(work: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export async function createBench(
  env: TestWorkflowEnvironment,
  options: {
    engine?: Engine;
    tasks?: Task[];
    rules?: Partial<(typeof stageRules)['draw']>;
    fanOutAbove?: number;
    shardsInFlight?: number;
    /** Works on the queues of the settings, which commands start runs on; one such bench a server. */
    settingsQueues?: boolean;
  } = {},
): Promise<Bench> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'startrail-test-'));
  const store = await createLocalStore(path.join(folder, 'store'));
  const spans: Span[] = [];
  const engine = options.engine ?? scriptedAdder();
  // Queues of its own: a worker that is still closing can't take another bench's work, nor forbid its registration.
  const suffix = options.settingsQueues ? '' : `-${++benches}`;
  const extra = new Map((options.tasks ?? []).map((task) => [task.id, task]));
  const deps: Dependencies = {
    store,
    engine: (name) => (name === 'scripted' ? engine : undefined),
    engineNames: ['scripted'],
    defaultEngine: 'scripted',
    recipe: recipeById,
    recipeIds: recipeIds(),
    task: (id) => extra.get(id) ?? taskById(id),
    taskIds: [...taskIds(), ...extra.keys()],
    rules: Object.fromEntries(
      Object.entries(stageRules).map(([kind, rule]) => [
        kind,
        { ...rule, ...options.rules, taskQueue: rule.taskQueue + suffix },
      ]),
    ) as typeof stageRules,
    shardsInFlight: options.shardsInFlight ?? 2,
    fanOutAbove: options.fanOutAbove ?? 64,
    snapshotEveryMs: 200,
    span: (span) => spans.push(span),
    log: { info: () => undefined, warn: () => undefined },
  };
  const bundled = await workflowBundle();
  return {
    env,
    store,
    spans,
    folder,
    taskQueue: taskQueues.control + suffix,
    deps,
    async during(work) {
      const activities = createActivities(deps);
      const workers = await Promise.all(
        Object.entries(taskQueues).map(([role, taskQueue]) =>
          Worker.create({
            connection: env.nativeConnection,
            taskQueue: taskQueue + suffix,
            activities,
            ...(role === 'control' ? { workflowBundle: bundled } : {}),
            maxHeartbeatThrottleInterval: '200ms',
            shutdownForceTime: '2s',
          }),
        ),
      );
      const running = Promise.all(workers.map((worker) => worker.run()));
      try {
        return await work();
      } finally {
        for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
        await running;
      }
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

/** A run small enough for a test: two digit counts, forty problems, two iterations. */
export const smallRun = (more: Partial<RunInput> = {}): Partial<RunInput> => ({
  recipe: 'star',
  task: 'addition',
  parameters: { digits: 2 },
  iterations: 2,
  shardSize: 10,
  set: {
    'stages.batch.with.count': 40,
    'stages.next.with.steps': { first: 4, growth: 1, add: 0 },
    'base.steps': { first: 4, growth: 1, add: 0 },
  },
  ...more,
});

/** As the run's last write left it. */
export const documentOf = async ({ store }: Bench, runId: string): Promise<RunDocument> =>
  RunDocument.parse(await store.getName(`runs/${runId}`));

/** What a run says once it waits for somebody. */
export async function untilWaiting(handle: WorkflowHandle): Promise<Progress> {
  const ask = () => handle.query<Progress>(QUERIES.progress);
  await expect.poll(async () => (await ask()).status, { timeout: 60_000 }).toBe('waiting');
  return ask();
}

export async function startRun(bench: Bench, workflowId: string, input: unknown) {
  return bench.env.client.workflow.start('starRun', { workflowId, taskQueue: bench.taskQueue, args: [input] });
}
