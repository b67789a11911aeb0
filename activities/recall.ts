/**
 * recall: what a replay runs again, from the run's document alone: nothing of today's defaults enters.
 *
 * What would make all work wait in vain is told at once: a task whose files have changed, and for a fresh replay an engine
 * that gives other bits. (A replay that the memo answers whole needs no engine.)
 */
import type { Model } from '../schemas/checkpoint.ts';
import { carriedIn } from '../schemas/port-values.ts';
import type { CarriedRows } from '../schemas/port-values.ts';
import type { ReplayInput } from '../schemas/replay.ts';
import type { ResolvedRun } from '../schemas/run.ts';
import type { Dependencies } from './dependencies.ts';
import { invalidInput, rethrow } from './failures.ts';
import { recordedRun, sealedIteration } from './recorded.ts';
import { implementationOf } from './shard.ts';

export interface Recalled extends CarriedRows {
  resolved: ResolvedRun;
  /** What came into the iteration. */
  model: Model | null;
  base: Model | null;
  attempt: number;
  /** Options that had been changed for it alone. */
  changed: Record<string, unknown>;
  /** Where `model` is not that of the iteration before. */
  rolledBackTo?: number;
}

export const recall =
  (deps: Dependencies) =>
  async (input: ReplayInput, replayId: string): Promise<Recalled> => {
    try {
      const { resolved, iterations, ...document } = await recordedRun(deps.store, input.run, 'run');
      const record = sealedIteration({ ...document, resolved, iterations }, input.iteration, 'iteration');
      const { context } = resolved;
      const task = deps.task(context.task);
      if (!task || (await implementationOf(task)) !== context.implementation)
        throw invalidInput([
          {
            field: 'run',
            message: `the files of task ${context.task} are not those run "${input.run}" was made with: put them back, or fork the run (it does again what they change)`,
          },
        ]);
      if (input.fresh) {
        const found = (await deps.engine(context.engine)?.describe())?.fingerprint ?? 'not declared';
        if (found !== context.fingerprint)
          throw invalidInput([
            {
              field: 'fresh',
              message: `engine ${context.engine} is "${found}" here, the run was made on "${context.fingerprint}"; digests can be compared only there`,
            },
          ]);
      }
      const { rolledBackTo } = record;
      const before = iterations.find((one) => one.n === (rolledBackTo ?? input.iteration - 1));
      const base = iterations.find((one) => one.n === 0);
      return {
        resolved: {
          ...resolved,
          rules: deps.rules,
          context: {
            ...context,
            runId: replayId,
            ...(input.fresh && { fresh: { runId: input.run, attempt: record.attempt } }),
          },
        },
        model: before?.model ?? null,
        base: input.iteration === 0 ? null : (base?.model ?? null),
        ...carriedIn(before),
        attempt: record.attempt,
        changed: record.changed,
        ...(rolledBackTo !== undefined && { rolledBackTo }),
      };
    } catch (error) {
      rethrow(error);
    }
  };
