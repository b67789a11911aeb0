/**
 * confront: holds a replayed iteration against the recorded one, and names the first difference: shard by shard in the order
 * of the graph where a fresh replay compared them, then judged rows, training rows, evaluation, weights, ledger.
 */
import type { ArtifactRef } from '../schemas/artifact.ts';
import type { Difference } from '../schemas/comparison.ts';
import type { ReplayInput, ReplayResult } from '../schemas/replay.ts';
import { IterationRecord } from '../schemas/run.ts';
import { leavesOf } from '../store/manifest.ts';
import type { Store } from '../store/store.ts';
import type { Dependencies } from './dependencies.ts';
import { rethrow } from './failures.ts';
import { recordedRun, sealedIteration } from './recorded.ts';

/** Undefined where all is equal. Throws as `store.read` for a manifest. */
export async function firstDifference(
  store: Store,
  recorded: IterationRecord,
  replayed: IterationRecord,
): Promise<Difference | undefined> {
  const lists = ({ judged, examples, scores }: IterationRecord): [string, ArtifactRef[]][] => [
    ['judged rows', judged],
    ['training rows', examples],
    ['evaluated rows', scores.map((score) => score.judged)],
  ];
  // Which shards stand in which manifest is no part of the result, nor are shards without rows, which manifests leave out.
  const leaves = async (refs: ArtifactRef[]) =>
    (await leavesOf(store, refs)).filter(({ rows }) => rows !== 0).map(({ digest }) => digest);
  const after = lists(replayed);
  for (const [index, [what, refs]] of lists(recorded).entries()) {
    const [digests, others] = await Promise.all([leaves(refs), leaves(after[index]?.[1] ?? [])]);
    const shard = Array.from({ length: Math.max(digests.length, others.length) }, (_, at) => at).find(
      (at) => digests[at] !== others[at],
    );
    if (shard !== undefined)
      return { what, shard, recorded: digests[shard] ?? 'none', replayed: others[shard] ?? 'none' };
  }
  for (const [what, key] of [
    ['weights', 'weightsDigest'],
    ['ledger', 'ledgerDigest'],
  ] as const)
    if (recorded[key] !== replayed[key]) return { what, shard: null, recorded: recorded[key], replayed: replayed[key] };
  return undefined;
}

export const confront =
  (deps: Dependencies) =>
  async (input: ReplayInput, replayId: string, ref: ArtifactRef): Promise<ReplayResult> => {
    try {
      const document = await recordedRun(deps.store, input.run, 'run');
      const recorded = sealedIteration(document, input.iteration, 'iteration');
      const replayed = IterationRecord.parse(JSON.parse((await deps.store.read(ref.digest)).toString('utf8')));
      const { compared } = replayed;
      const difference = compared?.first ?? (await firstDifference(deps.store, recorded, replayed)) ?? null;
      const digests = ({ ledgerDigest, weightsDigest }: IterationRecord) => ({ ledgerDigest, weightsDigest });
      return {
        runId: input.run,
        replayId,
        iteration: input.iteration,
        fresh: input.fresh,
        changed: replayed.changed,
        recorded: digests(recorded),
        replayed: digests(replayed),
        same: difference === null,
        stages: replayed.stages ?? {},
        ...replayed.shards,
        compared: compared ? { equal: compared.equal, different: compared.different, unknown: compared.unknown } : null,
        firstDifference: difference,
      };
    } catch (error) {
      rethrow(error);
    }
  };
