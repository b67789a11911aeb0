/**
 * The files of a data set of the Hugging Face Hub into the folder of data sets, pinned to one commit, as the JSON lines that a task reads.
 *
 *   await fetchDataset(hub, { repo: 'openai/gsm8k', revision: 'main', files: HUB.gsm8k.files, folder: 'datasets' });
 *   // datasets/gsm8k/train.jsonl, each file with a train.jsonl.source.json beside it
 *
 * What is fetched gathers under `.fetching/` and is checked there; a file is in its place whole or not at all, and one that is there
 * already from elsewhere is never written over. With the same commit the bytes are the same: rows keep their order.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { HubError, type Hub, type HubFile } from './client.ts';
import { download } from './download.ts';
import { lock, sourceIn, type Fetching } from './fetching.ts';

export interface WantedFile {
  /** Its paths on the Hub; Parquet files follow one another in the order of their names. */
  from: RegExp;
  /** Inside `folder`. */
  to: string;
  row?: (row: unknown) => unknown;
}
export interface DatasetRequest extends Fetching {
  /** `owner/name`. */
  repo: string;
  files: readonly WantedFile[];
  folder: string;
}
export interface FetchedFile {
  file: string;
  rows: number;
  /** Of the bytes in place; what a run pins. */
  sha256: string;
  /** false: it was there already. */
  fresh: boolean;
}

interface Source {
  format: 1;
  source: string;
  commit: string;
  license: string | null;
  rows: number;
  sha256: string;
}

/** @throws HubError; the signal's reason. */
export async function fetchDataset(
  hub: Hub,
  request: DatasetRequest,
): Promise<{ commit: string; license: string | null; files: FetchedFile[] }> {
  const { repo, revision, folder } = request;
  const { commit, license } = await hub.resolve(repo, revision);
  const listed = await hub.list(repo, commit);
  const wanted = request.files.map((file) => {
    const parts = listed.filter(({ path: at }) => file.from.test(at)).sort((a, b) => (a.path < b.path ? -1 : 1));
    if (parts.length === 0)
      throw new HubError(
        'DatasetUnsupported',
        `${repo} at ${commit.slice(0, 12)} has no file like ${file.from.source}, which ${file.to} is made of; name an earlier --revision, or put the file there by hand`,
      );
    return { ...file, parts, place: path.join(folder, file.to), note: path.join(folder, `${file.to}.source.json`) };
  });
  /** What is there already, all of it of this commit. */
  const there = new Map<string, Source>();
  for (const { place, note, to } of wanted) {
    if (!existsSync(place)) continue;
    const known = await sourceIn<Source>(note);
    if (known?.source !== repo || known.commit !== commit)
      throw new HubError(
        'DatasetExists',
        `${to} is in ${folder} already${known ? ` (${known.source} at ${known.commit.slice(0, 12)})` : ''}; move it away, or set STARTRAIL_DATASETS to another folder`,
      );
    there.set(to, known);
  }
  const work = path.join(folder, '.fetching', `${repo.replace('/', '--')}@${commit}`);
  const told = {
    done: 0,
    total: wanted.flatMap(({ to, parts }) => (there.has(to) ? [] : parts)).reduce((sum, { size }) => sum + size, 0),
  };
  request.onPlan?.({ commit, license, files: wanted.length, bytes: told.total });
  const release = await lock(`${work}.lock`, repo);
  try {
    return { commit, license, files: await gather() };
  } finally {
    await release();
  }

  async function gather(): Promise<FetchedFile[]> {
    const files: FetchedFile[] = [];
    for (const { place, note, to, parts, row } of wanted) {
      const known = there.get(to);
      if (known) {
        files.push({ file: to, rows: known.rows, sha256: known.sha256, fresh: false });
        continue;
      }
      const own = path.join(work, to.replace(/\W/g, '-'));
      for (const file of parts) {
        const onBytes = (bytes: number) => request.onProgress?.(file.path, told.done + bytes, told.total);
        await download(hub, { ...request, name: repo, commit, file, folder: own, onBytes });
        told.done += file.size;
      }
      const lines = (await Promise.all(parts.map((part) => rowsOf(repo, own, part))))
        .flat()
        .map((one) => JSON.stringify(asRow(repo, to, one, row), bigAsNumber));
      const text = `${lines.join('\n')}\n`;
      const sha256 = createHash('sha256').update(text).digest('hex');
      const source: Source = { format: 1, source: repo, commit, license, rows: lines.length, sha256 };
      await mkdir(path.dirname(place), { recursive: true });
      // The note first: a file without one is somebody's own and would be left alone for ever.
      await writeFile(note, `${JSON.stringify(source, null, 2)}\n`);
      await writeFile(path.join(own, 'made.jsonl'), text);
      await rename(path.join(own, 'made.jsonl'), place);
      files.push({ file: to, rows: lines.length, sha256, fresh: true });
    }
    await rm(work, { recursive: true, force: true });
    return files;
  }
}

async function rowsOf(repo: string, folder: string, { path: at }: HubFile): Promise<unknown[]> {
  const file = path.join(folder, path.basename(at));
  try {
    if (at.endsWith('.parquet')) return await parquetReadObjects({ file: await asyncBufferFromFile(file) });
    const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line.trim() !== '');
    return lines.map((line) => JSON.parse(line) as unknown);
  } catch (error) {
    throw new HubError(
      'DatasetUnsupported',
      `${at} of ${repo} cannot be read (${(error as Error).message}); name another --revision`,
    );
  }
}

function asRow(repo: string, to: string, row: unknown, change: WantedFile['row']): unknown {
  try {
    return change ? change(row) : row;
  } catch {
    throw new HubError(
      'DatasetUnsupported',
      `${repo} has other columns than ${to} is made of; name an earlier --revision, or put the file there by hand`,
    );
  }
}

/** Parquet's 64-bit integers come as bigint, which JSON has not. */
const bigAsNumber = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? Number(value) : value);
