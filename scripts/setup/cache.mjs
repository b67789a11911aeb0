/**
 * The cache outside the checkout: entries appear whole or not at all.
 *
 * An entry is a folder, built under `tmp/` and renamed into place. `tmp/` folders carry their owner's process id, so that what
 * a killed set-up left is swept by the next one.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { cacheFolder } from './locate.mjs';
import { withLock } from './lock.mjs';
import { SetupFailure } from './failure.mjs';

const temporaryRoot = () => join(cacheFolder(), 'tmp');

/** Runs `work` with an empty folder inside the cache that is gone afterwards, also when this process is ended by a signal. */
export const withTemporary = async (name, work) => {
  const folder = join(temporaryRoot(), `${name}.${process.pid}.${randomBytes(4).toString('hex')}`);
  const remove = () => rmSync(folder, { recursive: true, force: true });
  makeFolder(folder);
  process.once('exit', remove);
  try {
    return await work(folder);
  } finally {
    process.removeListener('exit', remove);
    remove();
  }
};

export const makeFolder = (folder) => {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new SetupFailure(
      `the cache folder ${folder} cannot be made (${error.code ?? error.message})`,
      'point XDG_CACHE_HOME at a folder that you may write to, then run set-up again',
    );
  }
};

/** Removes what set-ups that no longer live left under `tmp/`. */
export const sweep = () => {
  if (!existsSync(temporaryRoot())) return;
  for (const name of readdirSync(temporaryRoot())) {
    const pid = Number(name.split('.').at(-2));
    if (Number.isInteger(pid) && pid > 0 && isGone(pid))
      rmSync(join(temporaryRoot(), name), { recursive: true, force: true });
  }
};

const isGone = (pid) => {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
};

/**
 * The folder of a cache entry, built by `build(folder)` if it is not there yet. `isWhole` is asked even of an entry that exists,
 * because users clean caches by hand; a part of an entry is built again.
 *
 * @returns {Promise<{ folder: string, built: boolean }>}
 */
export const cached = async (kind, key, { isWhole, build, onWait }) => {
  const folder = join(cacheFolder(), kind, key);
  if (isWhole(folder)) return { folder, built: false };
  makeFolder(join(cacheFolder(), 'locks'));
  return withLock(
    join(cacheFolder(), 'locks', `${kind}-${key}.lock`),
    async () => {
      if (isWhole(folder)) return { folder, built: false }; // built while this process waited
      await withTemporary(`${kind}-${key}`, async (temporary) => {
        const fresh = join(temporary, 'entry');
        mkdirSync(fresh);
        await build(fresh, temporary);
        if (!isWhole(fresh)) throw new Error(`${kind} ${key}: the build ended without all of its files`);
        makeFolder(dirname(folder));
        if (existsSync(folder)) renameSync(folder, join(temporary, 'damaged'));
        renameSync(fresh, folder);
      });
      return { folder, built: true };
    },
    { onWait },
  );
};

export const sha256OfFile = async (file) => {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
};

export const sha256 = (...parts) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex');
};
