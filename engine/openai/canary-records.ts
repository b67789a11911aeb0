/**
 * What the canary said of each checkpoint that a server was given, in a folder: one file for each, so that a worker that was
 * started again, or another one that shares the folder, knows an old model when it meets one.
 *
 *   const records = canaryRecords('.startrail/engines/vllm/canaries');
 *   await records.write('sha256:3f…', { tokens, logProbabilities, jitter });
 *
 * A file appears whole or not at all. One that can't be read counts as absent.
 */
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { Canary } from './canary.ts';

/** `jitter`: how far two answers of the same weights were apart. */
export const CanaryRecord = Canary.extend({ digest: z.string(), jitter: z.number() });
export type CanaryRecord = z.infer<typeof CanaryRecord>;

export interface CanaryRecords {
  folder: string;
  read(): Promise<CanaryRecord[]>;
  write(record: CanaryRecord): Promise<void>;
}

export function canaryRecords(folder: string): CanaryRecords {
  return {
    folder,
    async read() {
      const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.json'));
      const found = await Promise.all(names.map((name) => recordIn(path.join(folder, name))));
      return found.filter((record) => record !== undefined);
    },
    async write(record) {
      await mkdir(folder, { recursive: true });
      const file = path.join(folder, `${hexOf(record.digest)}.json`);
      const temporary = `${file}.${process.pid}`;
      await writeFile(temporary, JSON.stringify(record));
      await rename(temporary, file);
    },
  };
}

export const hexOf = (digest: string): string => digest.replace(/^sha256:/, '');

async function recordIn(file: string): Promise<CanaryRecord | undefined> {
  try {
    return CanaryRecord.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return undefined;
  }
}
