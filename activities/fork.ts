/**
 * fork: begins a run with iterations of another. The records are shared as they are (same artifacts, same digests); from the
 * first iteration of its own on, the memo answers every shard whose inputs and options are those of the origin.
 *
 * Task and engine are those of today: a changed verifier re-does the stages below it, another machine's engine re-does what
 * an engine computes. Held-out problems must be the same, or the accuracies of one table would mean different things.
 */
import { canonicalJson } from '../schemas/canonical.ts';
import type { IterationSummary, ResolvedRun, RunInput } from '../schemas/run.ts';
import type { Dependencies } from './dependencies.ts';
import { invalidInput, rethrow } from './failures.ts';
import { planFork } from './plan-fork.ts';
import type { ForkInput } from './plan-fork.ts';
import { taskOfRun } from './problem-source.ts';
import { recordedRun } from './recorded.ts';
import { writeSources } from './resolve.ts';
import { summaryOf } from './seal.ts';
import { implementationOf } from './shard.ts';

export const fork =
  (deps: Dependencies) =>
  async (input: RunInput, runId: string): Promise<{ resolved: ResolvedRun; iterations: IterationSummary[] }> => {
    try {
      const asked = input as ForkInput;
      const origin = await recordedRun(deps.store, asked.fork.run, 'fork.run');
      const { filled, shared } = planFork(origin, asked);
      const before = origin.resolved;
      const engineName = input.engine ?? before.context.engine;
      const [task, engine] = [deps.task(before.context.task), deps.engine(engineName)];
      if (!task || !engine)
        throw invalidInput([
          task
            ? { field: 'engine', message: `no engine ${engineName} on this worker` }
            : { field: 'task', message: `no task ${before.context.task} on this worker` },
        ]);
      const implementation = await implementationOf(task);
      if (implementation !== before.context.implementation) {
        const parameters: unknown = task.parameters.parse(before.context.parameters);
        const seen = await taskOfRun(deps.store, task, before.context);
        const { dev, test, seeds } = await writeSources(
          deps.store,
          seen,
          parameters,
          before.context.seed,
          before.context.heldOut,
        );
        if (
          canonicalJson({ dev, test, seeds }) !==
          canonicalJson({ dev: before.dev, test: before.test, seeds: before.seeds })
        )
          throw invalidInput([
            {
              field: 'fork.run',
              message: `task ${task.id} has other seeds or held-out problems by now than run "${asked.fork.run}" had; start a new run`,
            },
          ]);
      }
      const { fingerprint, deterministic } = await engine.describe();
      const iterations: IterationSummary[] = [];
      for (const record of shared) iterations.push(summaryOf(record, await deps.store.put(canonicalJson(record))));
      return {
        resolved: {
          ...before,
          context: {
            ...before.context,
            runId,
            recipe: filled.recipe.id,
            engine: engineName,
            fingerprint,
            deterministic,
            implementation,
          },
          recipe: filled.recipe,
          iterations: filled.iterations,
          shardSize: filled.shardSize,
          shardsInFlight: deps.shardsInFlight,
          fanOutAbove: deps.fanOutAbove,
          onFailure: input.onFailure,
          rules: deps.rules,
          origins: await deps.store.put(canonicalJson(filled.origins)),
          searchAttributes: deps.searchAttributes ? true : undefined,
          ...(deps.bundle !== undefined && { bundle: deps.bundle }),
        },
        iterations,
      };
    } catch (error) {
      rethrow(error);
    }
  };
