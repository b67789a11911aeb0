/**
 * Rows as artifacts: JSON Lines, one canonical JSON value a line, each line ended by "\n"; no rows = an empty file.
 *
 *   const ref = await writeRows(store, problems)          // ref.rows = problems.length
 *   await readRows(store, { shards: [ref], from: 0, to: 50 }, Problem)
 *
 * Same rows ⇒ same bytes ⇒ same digest. Very many rows are written in parts under a manifest (`RowsWriter`) and read batch
 * by batch (`rowBatches`), so that no process holds a million of them at once.
 */
import { createHash } from 'node:crypto';
import type { z } from 'zod';
import type { ArtifactRef } from '../schemas/artifact.ts';
import { canonicalJson } from '../schemas/canonical.ts';
import type { Rows, Slice } from '../schemas/port-values.ts';
import { flatSlice, writeManifest } from './manifest.ts';
import type { Store } from './store.ts';

/** Shards read at once. */
const AT_ONCE = 8;

export const emptyRows: Rows = { shards: [], rows: 0 };

export const asSlice = (rows: Rows): Slice => ({ shards: rows.shards, from: 0, to: rows.rows });

/** A row or a slice that is not what its reader needs. Not retryable: the same bytes would come again. */
export class RowsInvalidError extends Error {
  override readonly name = 'RowsInvalidError';
  readonly code = 'InvalidInput';
}

/** One artifact with these rows. Throws TypeError for what JSON cannot carry, StoreError as `put`. */
export async function writeRows(store: Store, rows: readonly unknown[]): Promise<ArtifactRef> {
  return store.put(rows.map((row) => `${canonicalJson(row)}\n`).join(''), rows.length);
}

/** Up to so many rows stand in one artifact; what is longer is cut into parts. */
const WHOLE = 10_000;
const PART = 1_000;

/**
 * Rows one after the other into one ref: an artifact, or beyond 10,000 rows a manifest of parts.
 * `digest` is that of all the bytes, however they were cut: the same rows ⇒ the same digest.
 */
export class RowsWriter {
  private lines: string[] = [];
  private readonly parts: ArtifactRef[] = [];
  private readonly hash = createHash('sha256');
  private count = 0;
  constructor(private readonly store: Store) {}

  async add(row: unknown): Promise<void> {
    const line = `${canonicalJson(row)}\n`;
    this.hash.update(line);
    this.lines.push(line);
    this.count++;
    if (this.count > WHOLE) await this.flush(PART);
  }

  async finish(): Promise<{ ref: ArtifactRef; digest: string; rows: number }> {
    const ended = { digest: `sha256:${this.hash.digest('hex')}`, rows: this.count };
    if (this.count <= WHOLE) return { ref: await this.store.put(this.lines.join(''), this.count), ...ended };
    await this.flush(1);
    return { ref: await writeManifest(this.store, this.parts), ...ended };
  }

  private async flush(atLeast: number): Promise<void> {
    while (this.lines.length >= atLeast) {
      const part = this.lines.splice(0, PART);
      this.parts.push(await this.store.put(part.join(''), part.length));
    }
  }
}

/**
 * The rows [from, to) of the concatenated shards, in order, each checked by `schema`; reads only the shards that hold some.
 * Throws RowsInvalidError naming digest and line (1-based), StoreError as `read`.
 */
export async function readRows<T>(store: Store, slice: Slice | Rows, schema: z.ZodType<T>): Promise<T[]> {
  const rows: T[] = [];
  for await (const batch of rowBatches(store, slice, schema)) for (const row of batch) rows.push(row);
  return rows;
}

/** As `readRows`, a few shards' rows at a time. */
export async function* rowBatches<T>(store: Store, of: Slice | Rows, schema: z.ZodType<T>): AsyncGenerator<T[]> {
  const asked = 'from' in of ? of : asSlice(of);
  if (asked.from > asked.to)
    throw new RowsInvalidError(`InvalidInput: rows from ${asked.from} to ${asked.to}: the end lies before the start`);
  const { shards, from, to } = await flatSlice(store, asked);

  const counted = await Promise.all(
    shards.map(async (shard) => ({ ...shard, rows: shard.rows ?? (await linesOf(store, shard)).length })),
  );
  const parts: { shard: ArtifactRef; from: number; to: number }[] = [];
  let start = 0;
  for (const shard of counted) {
    const end = start + shard.rows;
    if (start < to && end > from && shard.rows > 0) {
      parts.push({ shard, from: Math.max(from - start, 0), to: Math.min(to - start, shard.rows) });
    }
    start = end;
  }
  if (to > start) {
    throw new RowsInvalidError(
      `InvalidInput: rows ${from} to ${to} were asked for, the ${shards.length} shards hold ${start}`,
    );
  }

  for (let first = 0; first < parts.length; first += AT_ONCE) {
    const read = await Promise.all(
      parts.slice(first, first + AT_ONCE).map(async (part) => {
        const lines = await linesOf(store, part.shard);
        return lines.slice(part.from, part.to).map((line, i) => parseRow(line, part.shard, part.from + i + 1, schema));
      }),
    );
    yield read.flat();
  }
}

async function linesOf(store: Store, shard: ArtifactRef): Promise<string[]> {
  const lines = (await store.read(shard.digest)).toString('utf8').split('\n');
  if (lines.at(-1) === '') lines.pop();
  if (shard.rows !== undefined && lines.length !== shard.rows) {
    throw new RowsInvalidError(`InvalidInput: ${shard.digest} has ${lines.length} lines; its ref says ${shard.rows}`);
  }
  return lines;
}

function parseRow<T>(line: string, shard: ArtifactRef, number: number, schema: z.ZodType<T>): T {
  const place = `InvalidInput: ${shard.digest}, line ${number}`;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new RowsInvalidError(`${place}: ${(error as Error).message}`);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'row'}: ${issue.message}`);
  throw new RowsInvalidError(`${place}: ${issues.slice(0, 5).join('; ')}`);
}
