/**
 * One file of the Hub into a folder: whole and checked under its name, or not at all.
 *
 *   await download(hub, { name, commit, file, folder, signal, onBytes: (bytes) => … });
 *
 * Bytes gather in `<file>.part`; what is there already is not fetched again, after a cut connection or a killed process. Size and
 * digest are those that the Hub lists for the commit; a file that differs is fetched once more from its beginning.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HubError, type Hub, type HubFile } from './client.ts';

export interface Download {
  name: string;
  commit: string;
  file: HubFile;
  folder: string;
  signal?: AbortSignal | undefined;
  /** Bytes of the file that are there now. */
  onBytes?: (bytes: number) => void;
  /** Before the second try without a byte between; the later ones wait longer. */
  pauseMs?: number | undefined;
  /** A connection without a byte for so long is cut. */
  stalledMs?: number | undefined;
}

/** Tries one after another that bring no byte. */
const TRIES = 5;

const sizeOf = (file: string): Promise<number> =>
  stat(file).then(
    ({ size }) => size,
    () => 0,
  );

/** @throws HubError; the signal's reason. */
export async function download(hub: Hub, wanted: Download): Promise<void> {
  const { file, folder, signal, pauseMs = 1_000 } = wanted;
  const target = path.join(folder, path.basename(file.path));
  if ((await sizeOf(target)) === file.size && (await digestOf(target, file)) === file.expected.digest)
    return wanted.onBytes?.(file.size);
  const part = `${target}.part`;
  await mkdir(folder, { recursive: true });
  let again = true;
  for (let fruitless = 0; ;) {
    const before = await sizeOf(part);
    try {
      await append(hub, wanted, part, before);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof HubError) || !error.passing) throw error;
      fruitless = (await sizeOf(part)) > before ? 1 : fruitless + 1;
      if (fruitless >= TRIES) throw error;
      await sleep(pauseMs * 2 ** (fruitless - 1), undefined, { signal });
      continue;
    }
    const found = await sizeOf(part);
    if (found === file.size && (await digestOf(part, file)) === file.expected.digest) break;
    // A connection may close early without a word: what is there is good as far as it goes.
    if (found < file.size && found > before) continue;
    await rm(part, { force: true });
    if (!again)
      throw new HubError(
        'DownloadDamaged',
        `${file.path} of ${wanted.name} came twice with other bytes than the Hub lists for it (${file.size} bytes, ${file.expected.digest}); look whether a proxy stands between`,
      );
    again = false;
  }
  await rename(part, target);
}

/** Goes on behind the `from` bytes that are there. */
async function append(hub: Hub, wanted: Download, part: string, from: number): Promise<void> {
  const { name, commit, file, signal, stalledMs = 60_000 } = wanted;
  const stalled = new AbortController();
  const timer = setTimeout(() => stalled.abort(new Error(`no byte for ${stalledMs / 1000} s`)), stalledMs);
  const handle = await open(part, 'a');
  try {
    // Of nothing there is no range.
    if (from >= file.size) return;
    let bytes = from;
    const cut = AbortSignal.any([stalled.signal, ...(signal ? [signal] : [])]);
    for await (const piece of await hub.read(name, commit, file.path, from, cut)) {
      timer.refresh();
      await handle.writeFile(piece);
      wanted.onBytes?.((bytes += piece.length));
      // More than was listed is another file.
      if (bytes > file.size) break;
    }
    await handle.sync();
  } finally {
    clearTimeout(timer);
    await handle.close();
  }
}

/** As the Hub lists it: SHA-256 of the bytes, or Git's SHA-1 of its header and the bytes. */
async function digestOf(at: string, { size, expected }: HubFile): Promise<string> {
  const hash = createHash(expected.kind === 'sha256' ? 'sha256' : 'sha1');
  if (expected.kind === 'git') hash.update(`blob ${size}\0`);
  for await (const piece of createReadStream(at)) hash.update(piece as Buffer);
  return hash.digest('hex');
}
