/**
 * What the committed histories hold: one run, or few, for each way that workflow code can go. Small and scripted: what counts
 * is the order of commands, not the numbers. A scenario ends everything that it starts.
 *
 * Add one here for every new shape (a new workflow, update, path through the loop), then `npm run histories`.
 */
import { unlink } from 'node:fs/promises';
import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { EngineError } from '../../../engine/engine.ts';
import type { Engine } from '../../../engine/engine.ts';
import { RunDocument } from '../../../schemas/run.ts';
import type { Progress, RunInput } from '../../../schemas/run.ts';
import { skilledAdder } from '../../support/skilled.ts';
import { scriptedAdder, smallRun, startRun } from '../../support/temporal.ts';
import type { Bench, createBench } from '../../support/temporal.ts';

type BenchOptions = NonNullable<Parameters<typeof createBench>[1]>;
/** Opens a bench that is closed with the scenario. */
export type Open = (options?: BenchOptions) => Promise<Bench>;

export interface Scenario {
  /** Ids of the workflows to record: these, and those whose ids begin with one of them and a slash. */
  roots: string[];
  /** Of those; absent = all. */
  only?: (workflowId: string) => boolean;
  act(env: TestWorkflowEnvironment, open: Open): Promise<void>;
}

/** Two shards of a draw, four of an evaluation. */
const small = (more: Partial<RunInput> & { set?: Record<string, unknown> } = {}): Partial<RunInput> => ({
  ...smallRun(),
  iterations: 1,
  shardSize: 500,
  ...more,
  set: { ...smallRun().set, ...more.set },
});
const twoShards = { shardSize: 20, parameters: { digits: 1 } };

const until = async (handle: WorkflowHandle, holds: (progress: Progress) => boolean) => {
  for (let i = 0; i < 600; i++) {
    if (holds(await handle.query<Progress>('progress'))) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${handle.workflowId} did not come to what the scenario waits for`);
};
const waiting = (handle: WorkflowHandle) => until(handle, ({ status }) => status === 'waiting');

/** Fails its first training from a checkpoint, as often as told. */
function failing(times: number): Engine {
  const inner = scriptedAdder();
  let left = times;
  return {
    ...inner,
    train: (request, control) =>
      request.start.kind === 'checkpoint' && left-- > 0
        ? Promise.reject(new EngineError('TrainingDiverged', 'the loss is not finite'))
        : inner.train(request, control),
  };
}
/** Each request to sample takes so long. */
function slow(ms: number): Engine {
  const inner = scriptedAdder();
  return {
    ...inner,
    sample: async (request, control) => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      return inner.sample(request, control);
    },
  };
}
const run = async (on: Bench, id: string, input: unknown) => (await startRun(on, id, input)).result();

/** The making of the base is the same in every run. */
const withoutBase = (workflowId: string) => !workflowId.endsWith('/iteration-000');

export const SCENARIOS: Record<string, Scenario> = {
  'star-with-hints': {
    roots: ['star'],
    act: async (_env, open) => {
      const on = await open();
      await on.during(() => run(on, 'star', small(twoShards)));
    },
  },

  'failed-and-retried': {
    roots: ['retried', 'failed', 'abandoned'],
    only: withoutBase,
    act: async (_env, open) => {
      const on = await open({ engine: failing(3) });
      await on.during(async () => {
        await run(on, 'failed', small({ onFailure: 'fail' })).catch(() => undefined);
        const abandoned = await startRun(on, 'abandoned', small({ seed: 2 }));
        await waiting(abandoned);
        await abandoned.executeUpdate('abandon');
        await abandoned.result();
        const retried = await startRun(on, 'retried', small({ seed: 3 }));
        await waiting(retried);
        await retried.executeUpdate('retryIteration', { args: [{ set: { 'stages.next.with.learningRate': 0.001 } }] });
        await retried.result();
      });
    },
  },

  'paused-and-resumed': {
    roots: ['paused'],
    act: async (_env, open) => {
      const on = await open({ engine: slow(300) });
      await on.during(async () => {
        const handle = await startRun(on, 'paused', small(twoShards));
        await until(handle, ({ iteration }) => iteration === 1);
        await handle.executeUpdate('pause');
        await new Promise((resolve) => setTimeout(resolve, 1500));
        await handle.executeUpdate('resume');
        await handle.result();
      });
    },
  },

  'stopped-and-cancelled': {
    roots: ['stopped', 'stopped-now', 'cancelled'],
    act: async (_env, open) => {
      const on = await open({ engine: slow(400) });
      await on.during(async () => {
        const begun = async (id: string, seed: number) => {
          const handle = await startRun(on, id, small({ ...twoShards, seed }));
          await until(handle, ({ iteration }) => iteration === 0);
          return handle;
        };
        const stopped = await begun('stopped', 1);
        await stopped.executeUpdate('stop', { args: [{}] });
        await stopped.result();
        const now = await begun('stopped-now', 2);
        await now.executeUpdate('stop', { args: [{ now: true }] });
        await now.result();
        const cancelled = await begun('cancelled', 3);
        await cancelled.cancel();
        await cancelled.result().catch(() => undefined);
      });
    },
  },

  'continued-as-new': {
    roots: ['links'],
    only: (workflowId) => workflowId === 'links',
    act: async (_env, open) => {
      const on = await open();
      await on.during(() => run(on, 'links', small({ iterations: 9, set: { 'stop.patience': 20 } })));
    },
  },

  'forked-and-replayed': {
    roots: ['fork'],
    act: async (_env, open) => {
      const on = await open();
      await on.during(async () => {
        await run(on, 'origin', small());
        const set = { 'stages.next.with.learningRate': 0.01 };
        await run(on, 'fork', { recipe: 'star', task: 'addition', fork: { run: 'origin', from: 1 }, set });
        for (const fresh of [false, true]) {
          const handle = await on.env.client.workflow.start('starReplay', {
            workflowId: `fork/replay-1-${fresh ? 2 : 1}`,
            taskQueue: on.taskQueue,
            args: [{ run: 'fork', iteration: 1, fresh }],
          });
          await handle.result();
        }
      });
    },
  },

  nights: {
    roots: ['night-1', 'night-2', 'night-1-run', 'night-2-run'],
    only: withoutBase,
    act: async (env, open) => {
      let broken = false;
      const { engine } = skilledAdder((start) => {
        if (broken && start === 'checkpoint') throw new EngineError('TrainingDiverged', 'the loss is not finite');
        return start === 'fresh' ? 20 : 80;
      });
      const on = await open({ engine });
      const night = (workflowId: string, seed: number) =>
        env.client.workflow.execute('nightly', {
          workflowId,
          taskQueue: on.taskQueue,
          args: [{ run: small({ seed }) }],
        });
      await on.during(async () => {
        const result = (await night('night-1', 1)) as { what: string };
        if (result.what !== 'promoted') throw new Error(`night-1 was to promote; it was ${result.what}`);
        broken = true;
        await night('night-2', 2).catch(() => undefined);
      });
    },
  },

  'fanned-out': {
    roots: ['fanned/iteration-001'],
    only: (workflowId) => /iteration-001(\/free)?$/.test(workflowId),
    act: async (_env, open) => {
      const on = await open({ fanOutAbove: 20, shardsInFlight: 4 });
      const set = { 'stages.batch.with.count': 52 };
      await on.during(() => run(on, 'fanned', small({ parameters: { digits: 1 }, shardSize: 1, set })));
    },
  },

  'budget-raised': {
    roots: ['budget'],
    act: async (_env, open) => {
      const on = await open();
      await on.during(async () => {
        const handle = await startRun(
          on,
          'budget',
          small({ set: { 'stop.budget.tokens': 1, 'stop.budget.warnAt': 0.1 } }),
        );
        await waiting(handle);
        await handle.executeUpdate('retryIteration', { args: [{ set: { 'stop.budget.tokens': 1_000_000_000 } }] });
        await handle.result();
      });
    },
  },

  'rolled-back': {
    roots: ['rolled'],
    only: (workflowId) => ['rolled', 'rolled/iteration-003'].includes(workflowId),
    act: async (_env, open) => {
      const shares = [20, 80, 30, 40];
      const on = await open({ engine: skilledAdder(() => shares.shift() ?? 0).engine });
      const set = { 'stop.regression': 0.1, 'stop.patience': 10 };
      await on.during(() => run(on, 'rolled', small({ iterations: 6, set })));
    },
  },

  repaired: {
    roots: ['mended'],
    only: (workflowId) => workflowId === 'mended/iteration-001',
    act: async (_env, open) => {
      const on = await open();
      await on.during(async () => {
        await run(on, 'whole', small());
        const { iterations } = RunDocument.parse(await on.store.getName('runs/whole'));
        await unlink(await on.store.open(iterations[0]?.checkpoint ?? ''));
        const set = { 'stages.next.with.learningRate': 0.01 };
        await run(on, 'mended', {
          recipe: 'star',
          task: 'addition',
          fork: { run: 'whole', from: 1 },
          set,
          onFailure: 'fail',
        });
        if (!(await on.store.has(iterations[0]?.checkpoint ?? ''))) throw new Error('nothing was repaired');
      });
    },
  },
};
