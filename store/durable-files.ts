/**
 * Files that survive a kill and a power cut: written aside, fsynced, then made visible by one link or rename.
 *
 * A reader sees a whole file or none. What damage was found is moved to `damaged/`, never deleted: a person may want to look.
 * Limits: needs a file system with hard links (ext4, xfs, btrfs, APFS, NTFS; not FAT).
 */
import { createHash, randomBytes } from 'node:crypto';
import * as nodeFs from 'node:fs/promises';
import path from 'node:path';
import { errno } from './errno.ts';
import { isAlive, ownStart } from './makers.ts';
import { StoreError, type StoreErrorCode } from './store.ts';

/** The calls a store makes; tests hand in one that fails. */
export type FileSystem = Pick<
  typeof nodeFs,
  'open' | 'link' | 'rename' | 'unlink' | 'mkdir' | 'stat' | 'readdir' | 'rm' | 'copyFile' | 'chmod' | 'utimes'
>;
export const realFileSystem: FileSystem = nodeFs;

const DAY_MS = 86_400_000;

const WRITE_CODES: Record<string, StoreErrorCode> = {
  EROFS: 'StoreReadOnly',
  EACCES: 'StoreReadOnly',
  EPERM: 'StoreReadOnly',
  // A file where a folder should be: nothing can be written below it.
  ENOTDIR: 'StoreReadOnly',
  EEXIST: 'StoreReadOnly',
  ENOSPC: 'StoreFull',
  EDQUOT: 'StoreFull',
  EIO: 'StoreUnreachable',
  ESTALE: 'StoreUnreachable',
  ETIMEDOUT: 'StoreUnreachable',
};
const READ_CODES: Record<string, StoreErrorCode> = {
  EACCES: 'StoreUnreachable',
  EPERM: 'StoreUnreachable',
  EIO: 'StoreUnreachable',
  ESTALE: 'StoreUnreachable',
  ETIMEDOUT: 'StoreUnreachable',
};
const NEXT_STEP: Partial<Record<StoreErrorCode, string>> = {
  StoreReadOnly: 'Make that folder writable for this user, or set STARTRAIL_HOME to one that is.',
  StoreFull: 'Free some space there (startrail gc), or set STARTRAIL_HOME to a larger disk.',
  StoreUnreachable: 'Check the disk or mount and the rights of this user there.',
};

/** Digest-like identity of a file's state: changes whenever the file is written, replaced or linked anew. */
export async function stampOf(file: string, fs: FileSystem): Promise<string> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await fs.stat(file, { bigint: true });
  return [dev, ino, size, mtimeNs, ctimeNs].join(':');
}

export class DurableFiles {
  /** What stands in the folder's mark; undefined before `remember` and where no mark can be written. */
  private mark: string | undefined;
  constructor(
    readonly folder: string,
    readonly fs: FileSystem,
  ) {}

  private get markFile(): string {
    return path.join(this.folder, 'store.json');
  }

  private async readMark(): Promise<string | undefined> {
    try {
      const handle = await this.fs.open(this.markFile, 'r');
      try {
        return (await handle.readFile()).toString('utf8');
      } finally {
        await handle.close();
      }
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes(errno(error) ?? '')) return undefined;
      throw error;
    }
  }

  /** From here on a folder that is gone, or another in its place, is noticed; a store without a mark gets one. */
  async remember(): Promise<void> {
    try {
      if ((await this.readMark()) === undefined) {
        const temporary = await this.writeTemporary(
          Buffer.from(`{"store":"${randomBytes(16).toString('hex')}"}\n`),
          0o444,
        );
        await this.linkExclusively(temporary, this.markFile).finally(() => this.removeIfThere(temporary));
      }
      this.mark = await this.readMark();
    } catch (error) {
      // Read-only or full: it can be read as it is.
      if (errno(error) === undefined) throw error;
    }
  }

  /**
   * Throws StoreUnreachable where the store that was opened does not stand any more. Without this a deleted folder would be
   * made again, empty, and its run would fail for want of an artifact, when all it wants is its folder back.
   */
  async mustStand(): Promise<void> {
    if (this.mark === undefined) return;
    const found = await this.readMark();
    if (found === this.mark) return;
    throw new StoreError(
      'StoreUnreachable',
      `the store ${this.folder} ${found === undefined ? 'is gone' : 'is another than the one that was opened'}: put the folder back or mount it again, and the run goes on by itself; if it is lost for good, end the run with \`startrail stop --now\` and start it under a new id`,
    );
  }

  /** Runs `work`; an error of the disk becomes a StoreError with place, cause and next step. */
  async guard<T>(doing: string, mode: 'read' | 'write', work: () => Promise<T>): Promise<T> {
    try {
      if (mode === 'write') await this.mustStand();
      return await work();
    } catch (error) {
      const found = errno(error);
      // It may have gone between the look above and the work.
      if (found === 'ENOENT' && mode === 'write') await this.mustStand();
      const code = found === undefined ? undefined : (mode === 'write' ? WRITE_CODES : READ_CODES)[found];
      if (error instanceof StoreError || code === undefined) throw error;
      const cause = (error as Error).message;
      throw new StoreError(code, `store ${this.folder}: cannot ${doing} (${cause}). ${NEXT_STEP[code] ?? ''}`);
    }
  }

  /** Digest of a file's bytes, a megabyte at a time. */
  async hashFile(file: string): Promise<string> {
    const handle = await this.fs.open(file, 'r');
    try {
      const hash = createHash('sha256');
      const chunk = Buffer.allocUnsafe(1 << 20);
      for (;;) {
        const { bytesRead } = await handle.read(chunk, 0, chunk.length, null);
        if (bytesRead === 0) return `sha256:${hash.digest('hex')}`;
        hash.update(chunk.subarray(0, bytesRead));
      }
    } finally {
      await handle.close();
    }
  }

  /** Makes `folder` durably, with its parents; never the store's own folder again once that was opened (see `mustStand`). */
  async ensureFolder(folder: string): Promise<void> {
    if (this.mark !== undefined) return this.ensureBelow(folder);
    const first = await this.fs.mkdir(folder, { recursive: true });
    if (first === undefined) return;
    for (let parent = path.dirname(folder); parent.length >= path.dirname(first).length;) {
      await this.syncFolder(parent);
      if (parent === path.dirname(parent)) break;
      parent = path.dirname(parent);
    }
  }

  /** Part by part from the leaf up: a recursive mkdir would make a folder that went away this very moment anew, and empty. */
  private async ensureBelow(folder: string): Promise<void> {
    try {
      await this.fs.mkdir(folder);
    } catch (error) {
      if (errno(error) === 'EEXIST') return;
      if (errno(error) !== 'ENOENT' || path.dirname(folder) === this.folder) throw error;
      await this.ensureBelow(path.dirname(folder));
      return this.ensureBelow(folder);
    }
    await this.syncFolder(path.dirname(folder));
  }

  /** Makes the folder's entries durable, not only the files' bytes. */
  async syncFolder(folder: string): Promise<void> {
    if (process.platform === 'win32') return; // has no such call, and journals its directories
    const handle = await this.fs.open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  async syncFile(file: string): Promise<void> {
    // Elsewhere reading rights suffice, and the file may be read-only already.
    const handle = await this.fs.open(file, process.platform === 'win32' ? 'r+' : 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  temporaryPath(): string {
    return path.join(this.folder, 'tmp', `${process.pid}-${ownStart}-${randomBytes(8).toString('hex')}`);
  }

  /** A synced file in tmp/; nothing is left of it if writing fails. */
  async writeTemporary(bytes: Uint8Array, mode: number): Promise<string> {
    const file = this.temporaryPath();
    await this.ensureFolder(path.dirname(file));
    const handle = await this.fs.open(file, 'wx', mode);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } catch (error) {
      await handle.close().catch(() => undefined);
      await this.removeIfThere(file);
      throw error;
    }
    await handle.close();
    return file;
  }

  /** Gives the file its name unless the name is taken; true if this call did it. `from` stays. */
  async linkExclusively(from: string, target: string): Promise<boolean> {
    await this.ensureFolder(path.dirname(target));
    let created = true;
    try {
      await this.fs.link(from, target);
    } catch (error) {
      if (errno(error) !== 'EEXIST') throw error;
      created = false;
    }
    // The loser syncs too: it is about to tell others of a name its winner may not have synced yet.
    await this.syncFolder(path.dirname(target));
    return created;
  }

  async removeIfThere(file: string): Promise<void> {
    try {
      await this.fs.unlink(file);
    } catch (error) {
      if (errno(error) !== 'ENOENT') throw error;
    }
  }

  /**
   * Moves a damaged file to damaged/, named with `label` and the time. `seen` is the stamp of the bytes that were judged.
   * Returns the new place; 'changed' if another file stands there by now; undefined if it could not be moved.
   */
  async setAside(
    file: string,
    seen: string,
    label: string,
    isDamaged: (file: string) => Promise<boolean>,
  ): Promise<string | undefined> {
    const time = new Date().toISOString().replaceAll(/[:.]/g, '-');
    const target = path.join(this.folder, 'damaged', `${label}-${time}-${randomBytes(3).toString('hex')}`);
    try {
      if ((await stampOf(file, this.fs)) !== seen) return 'changed';
      await this.ensureFolder(path.dirname(target));
      await this.fs.rename(file, target);
    } catch (error) {
      return errno(error) === 'ENOENT' ? 'changed' : undefined;
    }
    // Between the look and the move another process may have put sound bytes there: those go back.
    if (!(await isDamaged(target))) {
      await this.linkExclusively(target, file);
      await this.removeIfThere(target);
      return 'changed';
    }
    await this.syncFolder(path.dirname(file));
    return target;
  }

  /**
   * Drops temporary files whose process is gone, and those of unknown makers after a day. Never fails: it is housekeeping.
   * Killed workers would else leave a file each; a day's kills are many in a chaos test, and large with large checkpoints.
   */
  async removeStale(now = Date.now()): Promise<void> {
    const folder = path.join(this.folder, 'tmp');
    for (const entry of await this.fs.readdir(folder).catch(() => [])) {
      const file = path.join(folder, entry);
      const [, pid, start] = /^(\d+)-(\d+)-/.exec(entry) ?? [];
      try {
        if (pid === undefined || start === undefined) {
          if (now - (await this.fs.stat(file)).mtimeMs < DAY_MS) continue;
        } else if (isAlive(Number(pid), start)) continue;
        await this.fs.unlink(file);
      } catch {
        // Gone already, or a read-only store that can still be read.
      }
    }
  }
}
