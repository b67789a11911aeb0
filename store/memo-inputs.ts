/**
 * What of a stage's inputs enters the memo key: content, never where it lies.
 *
 * A slice enters as the shards it touches and its bounds within those, so shards beyond it change nothing: after one shard
 * of a stage was judged anew, only the shards that read its rows are done again.
 */
import { Model } from '../schemas/checkpoint.ts';
import { PretrainedModel, Slice } from '../schemas/port-values.ts';

const Pretrained = PretrainedModel.pick({ pretrained: true, files: true }).loose();

/** Slices as digests and bounds, trained models as their checkpoint's digest, the rest (fresh shape, null) as it is. */
export function keyInput(value: unknown): unknown {
  const slice = Slice.safeParse(value);
  if (slice.success) return keySlice(slice.data);
  const model = Model.safeParse(value);
  if (model.success) return { checkpoint: model.data.checkpoint.digest };
  const pretrained = Pretrained.safeParse(value);
  // Its name is the worker's, its shape the files' own.
  if (pretrained.success) return { files: pretrained.data.files };
  return value;
}

function keySlice({ shards, from, to }: Slice): unknown {
  const digests: string[] = [];
  let start = 0;
  let skipped = 0;
  for (const { digest, rows } of shards) {
    // Shards of unknown length can't be told to lie outside: all enter.
    if (rows === undefined) return { shards: shards.map((shard) => shard.digest), from, to };
    if (start + rows <= from) skipped += rows;
    else if (start < to && rows > 0) digests.push(digest);
    start += rows;
  }
  return digests.length === 0 || from >= to
    ? { empty: true }
    : { shards: digests, from: from - skipped, to: to - skipped };
}
