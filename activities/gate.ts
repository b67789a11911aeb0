/**
 * The end of a night: the best model of its run and the current one answer the gate's problems, and the task's history gets
 * one event: promoted, kept, or failed. A second delivery finds the event and adds none.
 *
 * Without a current model the run's own base stands in its place: what training did not make better is not promoted.
 */
import { Context } from '@temporalio/activity';
import type { Model } from '../schemas/checkpoint.ts';
import { judgeGate } from '../schemas/gate.ts';
import type { GateRule, PairCounts } from '../schemas/gate.ts';
import { currentModel, lookOf } from '../schemas/models.ts';
import type { ModelEvent, NumberedEvent } from '../schemas/models.ts';
import type { NightResult } from '../schemas/nightly.ts';
import { canonicalJson } from '../schemas/canonical.ts';
import type { Problem } from '../schemas/problem.ts';
import { RunDocument } from '../schemas/run.ts';
import type { Judged } from '../schemas/verdict.ts';
import { appendEvent, readEvents } from '../store/models.ts';
import { gateProblems } from '../tasks/gate.ts';
import type { Task } from '../tasks/task.ts';
import type { Dependencies } from './dependencies.ts';
import { failure, invalidInput, rethrow } from './failures.ts';
import { judgeRows } from './judge.ts';
import { taskOfRun } from './problem-source.ts';
import { sampleRationales } from './sample.ts';
import { engineOf, taskOf } from './shard.ts';

const JUDGE = { timeoutMs: 10_000, tries: 2 };
/** Problems handed to the engine at once. */
const AT_ONCE = 500;

export interface GateInput {
  run: string;
  rule: GateRule;
  /** Of the night: one event per key. */
  key: string;
}

async function sealedRun(deps: Dependencies, run: string) {
  const document = RunDocument.parse(await deps.store.getName(`runs/${run}`));
  const { resolved, best } = document;
  const record = document.iterations.find(({ n }) => n === best?.n);
  if (!resolved || !record) throw failure('LedgerBroken', `run ${run} is done but has no sealed iteration`);
  if (!resolved.context.gate)
    throw invalidInput([
      { field: 'run.gate', message: `run ${run} may have trained on the gate; start it with gate: true` },
    ]);
  return { document, resolved, record };
}

/** Where the gate's work is to be done: the queue that evaluations of this run go to. */
export const gateQueue =
  (deps: Dependencies) =>
  async (run: string): Promise<string> => {
    try {
      return ((await sealedRun(deps, run)).resolved.rules.evaluate ?? deps.rules.evaluate).taskQueue;
    } catch (error) {
      rethrow(error);
    }
  };

/** Problems by who solved them; a problem counts when it was judged for both. Pure. */
export function pairsOf(
  current: Judged[],
  fresh: Judged[],
): { byStratum: Record<string, PairCounts>; unjudged: number } {
  const byStratum: Record<string, PairCounts> = {};
  const before = new Map(current.map((row) => [row.rationale.problem.id, row.verdict.verdict]));
  let unjudged = 0;
  for (const { rationale, verdict } of fresh) {
    const [old, now] = [before.get(rationale.problem.id), verdict.verdict];
    if (old === undefined || old === 'unjudged' || now === 'unjudged') {
      unjudged++;
      continue;
    }
    const counts = (byStratum[rationale.problem.stratum] ??= { both: 0, gained: 0, lost: 0, neither: 0 });
    counts[old === 'correct' ? (now === 'correct' ? 'both' : 'lost') : now === 'correct' ? 'gained' : 'neither']++;
  }
  return { byStratum, unjudged };
}

export const gate =
  (deps: Dependencies) =>
  async ({ run, rule, key }: GateInput): Promise<NightResult> => {
    try {
      const { document, resolved, record } = await sealedRun(deps, run);
      const { context } = resolved;
      const task = taskOf(deps, context.task);
      const own = await taskOfRun(deps.store, task, { source: context.source, dataset: context.dataset });
      const problems = gateProblems(own, task.parameters.parse(context.parameters) as unknown);
      const entry = {
        run,
        iteration: record.n,
        recipe: document.recipe,
        seed: document.seed,
        parameters: context.parameters,
        fingerprint: context.fingerprint,
        ledgerDigest: record.ledgerDigest,
        model: record.model,
      };
      const answers = answering(deps, resolved, task, problems);
      const fresh = await answers(record.model);
      for (;;) {
        const seen = currentModel(await readEvents(deps.store, task.id));
        if (seen && canonicalJson(seen.entry.parameters) !== canonicalJson(context.parameters))
          throw invalidInput([
            {
              field: 'run.parameters',
              message: `the current model of ${task.id} (${seen.entry.run}) has ${canonicalJson(seen.entry.parameters)}, this run ${canonicalJson(context.parameters)}; models of unlike parameters can't be compared: use those, or promote by hand`,
            },
          ]);
        const base = document.iterations[0]?.model ?? record.model;
        const pairs = pairsOf(await answers(seen?.entry.model ?? base), fresh);
        let moved = false;
        const event = await appendEvent(deps.store, task.id, (events): ModelEvent => {
          moved = currentModel(events)?.n !== seen?.n;
          const result = judgeGate(pairs.byStratum, { ...rule, look: lookOf(events) }, pairs.unjudged);
          // The pointer was moved while the models answered: compare with the one that holds now.
          if (moved && !events.some((one) => one.key === key)) throw new PointerMoved();
          const common = { format: 1 as const, at: new Date().toISOString(), by: 'gate' as const, key };
          return { ...common, reason: result.reason, what: result.promote ? 'promoted' : 'kept', entry, gate: result };
        }).catch((error: unknown) => {
          if (error instanceof PointerMoved) return undefined;
          throw error;
        });
        if (!event) continue;
        const { what, reason, at } = event;
        if (what === 'promoted') await deps.notify?.({ format: 1, what, run, task: task.id, reason, at });
        return nightOf(run, event);
      }
    } catch (error) {
      rethrow(error);
    }
  };

class PointerMoved extends Error {}

function nightOf(run: string, { n, what, reason }: NumberedEvent): NightResult {
  return { run, what: what === 'promoted' ? 'promoted' : 'kept', event: n, reason };
}

/** A model's judged answers to the gate's problems: greedy, the un-hinted prompt, as an evaluation. */
function answering(
  deps: Dependencies,
  { context }: NonNullable<RunDocument['resolved']>,
  task: Task,
  problems: Problem[],
) {
  const control = { signal: Context.current().cancellationSignal, onProgress: () => undefined };
  const shard = {
    task,
    deps,
    engine: () => engineOf(deps, context.engine, context.fingerprint),
    busy: <T>(_: 'engine' | 'verifier', work: () => Promise<T>) => work(),
    control,
    input: { run: context, kind: 'evaluate' as const, iteration: 0 },
  };
  return async (model: Model): Promise<Judged[]> => {
    const judged: Judged[] = [];
    for (let from = 0; from < problems.length; from += AT_ONCE) {
      const some = problems.slice(from, from + AT_ONCE);
      const plan = { problems: some, model, hinted: false, samples: 1, temperature: 0, topP: 1 };
      const { rationales } = await sampleRationales(shard, plan);
      judged.push(...(await judgeRows(task, rationales, JUDGE, control)));
    }
    return judged;
  };
}

/** A night that came to nothing stands in the history too. */
export const nightFailed =
  (deps: Dependencies) =>
  async ({ task, run, key, reason }: { task: string; run: string; key: string; reason: string }): Promise<void> => {
    try {
      const at = new Date().toISOString();
      // A task that does not exist has no history.
      if (deps.task(task))
        await appendEvent(deps.store, task, () => ({ format: 1, at, by: 'gate', key, reason, what: 'failed', run }));
      await deps.notify?.({ format: 1, what: 'failed', run, task, reason, at });
    } catch (error) {
      rethrow(error);
    }
  };
