import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { HubError } from './client.ts';
import type { Download } from './download.ts';

/** What fetching a model and fetching a data set have in common. */
export interface Fetching extends Pick<Download, 'signal' | 'pauseMs' | 'stalledMs'> {
  /** A branch, a tag or a commit. */
  revision: string;
  /** Known before the first byte of weights, or of rows. */
  onPlan?: (plan: FetchPlan) => void;
  /** Bytes of all files that are there, of how many. */
  onProgress?: (file: string, done: number, total: number) => void;
}
export interface FetchPlan {
  commit: string;
  license: string | null;
  files: number;
  bytes: number;
}

/** The note beside what was fetched; undefined where there is none. */
export const sourceIn = <S>(note: string): Promise<S | undefined> =>
  readFile(note, 'utf8').then(
    (text) => JSON.parse(text) as S,
    () => undefined,
  );

/** One process at a time fetches `what`: two would write into one file. What a killed one left is taken over. */
export async function lock(file: string, what: string): Promise<() => Promise<void>> {
  await mkdir(path.dirname(file), { recursive: true });
  for (;;) {
    try {
      await writeFile(file, String(process.pid), { flag: 'wx' });
      return () => rm(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const owner = Number(await readFile(file, 'utf8').catch(() => ''));
    if (owner > 0 && isAlive(owner))
      throw new HubError('FetchUnderWay', `process ${owner} is fetching ${what} already; wait for it, or end it`);
    await rm(file, { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
