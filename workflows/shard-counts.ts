/** What the shards of an iteration's stages say together: reused or done, and how a fresh replay compares. Pure. */
import { addComparisons } from '../schemas/comparison.ts';
import type { IterationRecord } from '../schemas/run.ts';
import type { StageKind, StageOutput } from '../schemas/stage.ts';
import { countShards } from '../schemas/stage-counts.ts';

/** `finished`: the stages in the order of the graph. `compared` stands there after a fresh replay alone. */
export function shardCounts(
  finished: { name: string; outputs: Pick<StageOutput<StageKind>, 'reused' | 'joined' | 'compared'>[] }[],
): Pick<IterationRecord, 'shards' | 'stages' | 'compared'> {
  const every = finished.flatMap(({ outputs }) => outputs);
  return {
    shards: countShards(every),
    stages: Object.fromEntries(finished.map(({ name, outputs }) => [name, countShards(outputs)])),
    ...(every.some((one) => one.compared) && { compared: addComparisons(every.map((one) => one.compared)) }),
  };
}
