/**
 * repair: an artifact was found damaged or gone; say which shard made it, so that the interpreter can run that again.
 *
 * A run's sources (seeds, dev, test) are made anew here, being a pure function of task, parameters and seed, and manifests are
 * put back from their list.
 */
import type { RunContext } from '../schemas/run-context.ts';
import type { StageInput } from '../schemas/stage.ts';
import { restoreManifest } from '../store/manifest.ts';
import { producerOf } from '../store/memo.ts';
import type { Dependencies } from './dependencies.ts';
import { failure, rethrow } from './failures.ts';
import { taskOfRun } from './problem-source.ts';
import { writeSources } from './resolve.ts';

export type Repair = { restored: true } | { restored: false; producer: StageInput };

export const repair =
  (deps: Dependencies) =>
  async (digest: string, run: RunContext): Promise<Repair> => {
    try {
      if (await restoreManifest(deps.store, digest)) return { restored: true };
      const producer = await producerOf(deps.store, digest);
      if (producer) return { restored: false, producer };
      const task = deps.task(run.task);
      if (task)
        await writeSources(
          deps.store,
          await taskOfRun(deps.store, task, run),
          task.parameters.parse(run.parameters),
          run.seed,
          run.heldOut,
        );
      if (await deps.store.has(digest)) return { restored: true };
    } catch (error) {
      rethrow(error);
    }
    throw failure(
      'LedgerBroken',
      `artifact ${digest} is damaged or missing and no shard is known that made it; start the run again under a new id`,
    );
  };
