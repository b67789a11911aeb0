/** Cuts a stage's rows into shards, and joins shards to rows. Pure, and the last, partial shard is a shard like the others (invariant I7). */
import type { ArtifactRef } from '../schemas/artifact.ts';
import type { Recipe } from '../schemas/recipe.ts';
import { stageRow } from '../schemas/stage.ts';
import type { StageOutput } from '../schemas/stage.ts';
import type { Rows, Slice } from '../schemas/port-values.ts';

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

/** How many pieces `pieceAt` gives: one per `shardSize` rows of each port in `shardBy`; without `shardBy` one; no rows: none. */
export function pieceCount(values: Record<string, unknown>, shardBy: string[], shardSize: number): number {
  if (shardBy.length === 0) return 1;
  return shardBy.reduce((sum, port) => sum + Math.ceil((values[port] as Rows).rows / shardSize), 0);
}

/** Piece `index`: some rows of one port in `shardBy` (the others of `shardBy` are empty in it), every other value whole. */
export function pieceAt(values: Record<string, unknown>, shardBy: string[], shardSize: number, index: number): Piece {
  const piece: Piece = {};
  for (const [port, value] of Object.entries(values))
    piece[port] = isRows(value) ? sliceOf(value, 0, shardBy.includes(port) ? 0 : value.rows) : value;
  let before = 0;
  for (const port of shardBy) {
    const rows = values[port] as Rows;
    const count = Math.ceil(rows.rows / shardSize);
    const from = (index - before) * shardSize;
    if (index >= before && index < before + count)
      piece[port] = sliceOf(rows, from, Math.min(rows.rows, from + shardSize));
    before += count;
  }
  return piece;
}

export const cutRows = (values: Record<string, unknown>, shardBy: string[], shardSize: number): Piece[] =>
  Array.from({ length: pieceCount(values, shardBy, shardSize) }, (_, index) =>
    pieceAt(values, shardBy, shardSize, index),
  );

/** The piece of a stage that follows another: all rows of the same shard of it. `outputOf` gives that shard by stage name. */
export function followedShard(
  stage: Recipe['stages'][string],
  outputOf: (name: string) => Pick<StageOutput, 'outputs'> | undefined,
): Piece {
  const follows = stageRow(stage.use).follows as string;
  const [from = '', port = 'rationales'] = (stage.in[follows] as string).split('.');
  const ref = (outputOf(from)?.outputs as Record<string, ArtifactRef>)[port] as ArtifactRef;
  return { [follows]: { shards: [ref], from: 0, to: ref.rows ?? 0 } satisfies Slice };
}

/** Ports on which judged rows come. */
export const JUDGED = ['correct', 'incorrect', 'unjudged'];
/** The rows that stages gave on these ports, stage by stage and port by port. */
export const rowsOf = (stages: Pick<StageOutput, 'outputs'>[][], ports: string[]): Rows[] =>
  stages.flatMap((outputs) =>
    ports.map((port) =>
      joinShards(outputs.map((one) => (one.outputs as Record<string, unknown>)[port] as ArtifactRef)),
    ),
  );

export const joinShards = (shards: ArtifactRef[]): Rows => ({
  shards,
  rows: shards.reduce((sum, shard) => sum + (shard.rows ?? 0), 0),
});

export const NO_ROWS: Rows = { shards: [], rows: 0 };

export const joined = (all: Rows[]): Rows => joinShards(all.flatMap((rows) => rows.shards));
