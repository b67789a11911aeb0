/**
 * Reads the published files of a task out of the folder that the worker declares, once per run, and pins them: the digest of
 * each file, and the problems made of them as an artifact.
 *
 *   gsm8k/train.jsonl, gsm8k/test.jsonl   in STARTRAIL_DATASETS → 7,473 + 1,319 problems, a tenth of train as dev
 *
 * A missing file, a line that is no row and a side without problems are InvalidInput, each with its cure. What became of
 * the rows, those that stand on two sides among them, is logged.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { DatasetSnapshot } from '../schemas/problem.ts';
import { writeRows } from '../store/rows.ts';
import { problemsOf } from '../tasks/dataset.ts';
import type { DatasetFile, Lookups } from '../tasks/dataset.ts';
import type { Task } from '../tasks/task.ts';
import type { Dependencies } from './dependencies.ts';
import { invalidInput } from './failures.ts';

const SIDES = ['train', 'dev', 'test'] as const;
const bad = (message: string) => invalidInput([{ field: 'task', message }]);

/** undefined: the task has problems of its own. Throws InvalidInput. */
export async function snapshotDataset(
  { store, datasets, log }: Pick<Dependencies, 'store' | 'datasets' | 'log'>,
  task: Task,
  parameters: unknown,
): Promise<DatasetSnapshot | undefined> {
  if (!task.dataset) return undefined;
  const { dataset } = task;
  const rows = new Map<string, unknown[]>();
  const files: DatasetSnapshot['files'] = {};
  for (const { path: name, side, optional } of dataset.files(parameters)) {
    const bytes = datasets === undefined ? undefined : await readIfThere(path.join(datasets, name));
    if (bytes === undefined) {
      if (optional) continue;
      throw bad(
        `task ${task.id} reads ${name}, which is not in the folder of data sets (${datasets ?? 'none is declared'}); ` +
          `get ${dataset.source}, put it there under that name, or start the worker with STARTRAIL_DATASETS set to the folder that holds it`,
      );
    }
    files[name] = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    rows.set(name, rowsOf(task, parameters, { path: name, side }, bytes.toString('utf8'), rows));
  }
  const { problems, counts } = problemsOf(dataset, parameters, rows);
  log.info('data set read', { task: task.id, ...counts });
  const empty = SIDES.find((side) => counts[side] === 0);
  if (empty !== undefined)
    throw bad(
      `the files of task ${task.id} (${Object.keys(files).join(', ')}) hold ${counts.rows} rows, none of them on the ${empty} side; get ${dataset.source}`,
    );
  return { files, problems: await writeRows(store, problems) };
}

async function readIfThere(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Each line is tried, so that the one that is wrong can be named. */
function rowsOf(
  { id, dataset }: Task,
  parameters: unknown,
  { path: name, side }: DatasetFile,
  text: string,
  lookups: Lookups,
): unknown[] {
  const source = dataset!.source;
  if (side === 'lookup') {
    try {
      return z.array(z.unknown()).parse(JSON.parse(text));
    } catch {
      throw bad(`${name} is no JSON list, which ${id} looks things up in; get ${source}`);
    }
  }
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    try {
      const row: unknown = JSON.parse(line);
      if (side === 'rationales') dataset!.rationale?.(row);
      else dataset!.row(row, parameters, lookups);
      return [row];
    } catch (error) {
      const why =
        error instanceof z.ZodError
          ? error.issues.map((issue) => `${issue.path.join('.') || '(row)'}: ${issue.message}`).join('; ')
          : String(error);
      throw bad(`${name} line ${index + 1} is no row of ${id} (${why}); get ${source}`);
    }
  });
}
