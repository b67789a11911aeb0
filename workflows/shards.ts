/** Cuts a stage's rows into shards. Pure, and the last, partial shard is a shard like the others (invariant I7). */
import type { ArtifactRef } from '../schemas/artifact.ts';
import type { Rows, Slice } from '../schemas/stage.ts';

/** The inputs of one shard, by port. */
export type Piece = Record<string, unknown>;

const isRows = (value: unknown): value is Rows => typeof value === 'object' && value !== null && 'shards' in value;

/** Rows [from, to) of these shards, naming only the shards that hold some of them. */
export function sliceOf(rows: Rows, from: number, to: number): Slice {
  const shards: ArtifactRef[] = [];
  let before = 0; // rows in shards that end before the slice
  let at = 0;
  for (const shard of rows.shards) {
    const end = at + (shard.rows ?? 0);
    if (end <= from) before = end;
    else if (at < to) shards.push(shard);
    at = end;
  }
  return { shards, from: from - before, to: to - before };
}

/**
 * One piece per `shardSize` rows of each port in `shardBy` (the other ports of `shardBy` are empty in it); every other value
 * goes whole into each piece. No `shardBy`: one piece. No rows: no piece.
 */
export function cutRows(values: Record<string, unknown>, shardBy: string[], shardSize: number): Piece[] {
  const whole: Piece = {};
  for (const [port, value] of Object.entries(values))
    whole[port] = isRows(value) ? sliceOf(value, 0, shardBy.includes(port) ? 0 : value.rows) : value;
  if (shardBy.length === 0) return [whole];
  const pieces: Piece[] = [];
  for (const port of shardBy) {
    const rows = values[port] as Rows;
    for (let from = 0; from < rows.rows; from += shardSize)
      pieces.push({ ...whole, [port]: sliceOf(rows, from, Math.min(rows.rows, from + shardSize)) });
  }
  return pieces;
}
