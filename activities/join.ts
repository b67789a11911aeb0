/**
 * join: the outputs of many shards as one, or one per split for scores: refs become manifests, counts are added up. A fan-out
 * calls it for every block, so that neither its history nor its parent's carries a ref per shard.
 */
import type { ArtifactRef } from '../schemas/artifact.ts';
import { addComparisons } from '../schemas/comparison.ts';
import { countShards } from '../schemas/stage-counts.ts';
import type { StageOutput } from '../schemas/stage.ts';
import type { ScoreShard } from '../schemas/port-values.ts';
import { writeManifest } from '../store/manifest.ts';
import type { Store } from '../store/store.ts';
import type { Dependencies } from './dependencies.ts';
import { rethrow } from './failures.ts';
import { addTallies } from './judge.ts';

type Outputs = Record<string, ArtifactRef | { split: string }>;
const splitOf = ({ outputs }: StageOutput): string =>
  Object.values(outputs as Outputs).flatMap((value) => ('split' in value ? [value.split] : []))[0] ?? '';

export const join =
  (deps: Dependencies) =>
  async (outputs: StageOutput[]): Promise<StageOutput[]> => {
    try {
      const groups = new Map<string, StageOutput[]>();
      for (const output of outputs) groups.set(splitOf(output), [...(groups.get(splitOf(output)) ?? []), output]);
      return await Promise.all([...groups.values()].map((group) => joined(deps.store, group)));
    } catch (error) {
      rethrow(error);
    }
  };

async function joined(store: Store, group: StageOutput[]): Promise<StageOutput> {
  const all = group.map((one) => one.outputs as Outputs);
  const ports = await Promise.all(
    Object.keys(all[0] as Outputs).map(async (port) => [
      port,
      await joinedPort(
        store,
        all.map((one) => one[port]),
      ),
    ]),
  );
  const sum = (pick: (one: StageOutput) => number) => group.reduce((total, one) => total + pick(one), 0);
  const because = group.find((one) => one.unjudgedBecause !== undefined)?.unjudgedBecause;
  return {
    outputs: Object.fromEntries(ports) as StageOutput['outputs'],
    reused: group.every((one) => one.reused),
    seconds: sum((one) => one.seconds),
    tokens: sum((one) => one.tokens),
    partial: group.some((one) => one.partial),
    joined: countShards(group),
    ...(group.some((one) => one.compared) && { compared: addComparisons(group.map((one) => one.compared)) }),
    ...(because !== undefined && { unjudgedBecause: because }),
  };
}

async function joinedPort(store: Store, values: unknown[]): Promise<ArtifactRef | ScoreShard> {
  if (!values.every((value) => (value as object) !== null && 'split' in (value as object)))
    return writeManifest(store, values as ArtifactRef[]);
  const scores = values as ScoreShard[];
  return {
    split: (scores[0] as ScoreShard).split,
    judged: await writeManifest(
      store,
      scores.map((score) => score.judged),
    ),
    byStratum: addTallies(scores.map((score) => score.byStratum)),
  };
}
