/** `list`: the runs of this home with status, age and size, from the store alone. */
import Table from 'cli-table3';
import type { RunDocument } from '../schemas/run.ts';
import { readRun, runIds } from './document.ts';
import { EXIT } from './exit.ts';
import { readStore } from './parts.ts';
import type { Context } from './parts.ts';
import { byteSize, duration, percent } from './terminal.ts';

/** Bytes of the artifacts a run refers to, each counted once; other runs may share them. */
export function sizeOf(document: RunDocument): number {
  const sizes = new Map<string, number>();
  for (const record of document.iterations)
    for (const ref of [
      record.ledgerRef,
      record.model.checkpoint,
      ...record.judged,
      ...record.examples,
      ...record.scores.map((score) => score.judged),
    ])
      sizes.set(ref.digest, ref.bytes);
  return [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
}

export async function list(context: Context): Promise<number> {
  const { terminal } = context;
  const store = await readStore(context.home);
  const rows = [];
  for (const runId of store ? await runIds(store) : []) {
    try {
      const document = store && (await readRun(store, runId));
      if (!document) continue;
      rows.push({
        runId,
        status: document.status,
        recipe: document.recipe,
        task: document.task,
        seed: document.seed,
        iterations: document.iterations.length,
        accuracy: document.best?.accuracy ?? null,
        startedAt: document.startedAt,
        updatedAt: document.updatedAt,
        bytes: sizeOf(document),
      });
    } catch (error) {
      // One damaged document must not hide the others.
      terminal.say(error instanceof Error ? error.message : String(error));
    }
  }
  rows.sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1));
  if (terminal.json) terminal.document(rows);
  else if (rows.length === 0) terminal.say('no runs yet; `./bin/startrail run addition` starts one');
  else {
    const table = new Table({
      head: ['run', 'status', 'age', 'size', 'iterations', 'best test'],
      style: { head: [], border: [] },
    });
    for (const row of rows)
      table.push([
        row.runId,
        row.status,
        duration((Date.now() - Date.parse(row.startedAt)) / 1_000),
        byteSize(row.bytes),
        String(Math.max(0, row.iterations - 1)),
        row.accuracy === null ? '' : percent(row.accuracy),
      ]);
    terminal.raw(`${table.toString()}\n`);
  }
  return EXIT.ok;
}
