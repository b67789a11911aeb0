/**
 * A home: the folder that holds everything a machine's runs leave.
 *
 *   format.json   version of this layout          lock/         who owns it (lock.ts)
 *   owner.json    the owner's server and worker   ports.json    chosen once and kept
 *   temporal.db   the server's database           store/        artifacts, memo, run documents
 *   cache/        copies of what lies in a bucket, where the settings name one
 *   logs/         server.log, worker.log          reports/<run>/
 *
 * `owner.json` is for others to attach and for the next owner to clean up after a dead one; only the lock says who owns.
 */
import { randomBytes } from 'node:crypto';
import { accessSync, constants, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { CliError, EXIT } from './exit.ts';
import { currentOwner } from './lock.ts';

export const HOME_FORMAT = 1;

export const homePaths = (home: string) => ({
  home,
  format: path.join(home, 'format.json'),
  lock: path.join(home, 'lock'),
  owner: path.join(home, 'owner.json'),
  ports: path.join(home, 'ports.json'),
  database: path.join(home, 'temporal.db'),
  /** There once a server has served from the database. */
  served: path.join(home, 'temporal.db-served'),
  store: path.join(home, 'store'),
  logs: path.join(home, 'logs'),
  serverLog: path.join(home, 'logs', 'server.log'),
  workerLog: path.join(home, 'logs', 'worker.log'),
  reports: path.join(home, 'reports'),
  /** Workflow code by the digest of its content; an open run's own is kept after an upgrade. */
  bundles: path.join(home, 'bundles'),
});
export type HomePaths = ReturnType<typeof homePaths>;

const Identity = z.object({ pid: z.int(), start: z.string() });
export const Owner = z.object({
  /** Number of the claim under which this was written; another number means that it is a dead owner's. */
  claim: z.int(),
  ...Identity.shape,
  verb: z.string(),
  state: z.enum(['starting', 'ready', 'ending']),
  address: z.string(),
  namespace: z.string(),
  ui: z.string(),
  server: Identity.nullable(),
  worker: Identity.nullable(),
  startedAt: z.string(),
});
export type Owner = z.infer<typeof Owner>;

const errno = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';

export function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Written whole or not at all. */
export function writeJson(file: string, value: unknown): void {
  const temporary = `${file}.${process.pid}-${randomBytes(4).toString('hex')}`;
  try {
    writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`);
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/**
 * Throws HomeTooNew if a later version of this program made the home, and HomeForeign if none did. There has been one format
 * so far; the first that follows it brings the way from 1 to 2 here.
 */
export function checkFormat(paths: HomePaths): void {
  const found = readJson(paths.format);
  if (found === undefined) return; // a new home, or one whose machine lost power in its first second
  const format = typeof found === 'object' && found !== null && 'format' in found ? found.format : undefined;
  if (format === HOME_FORMAT) return;
  if (typeof format === 'number' && format > HOME_FORMAT)
    throw new CliError(
      EXIT.input,
      'HomeTooNew',
      `the home ${paths.home} has format ${format}, this version knows up to ${HOME_FORMAT}: use the newer Startrail, or another folder in STARTRAIL_HOME`,
    );
  throw new CliError(
    EXIT.input,
    'HomeForeign',
    `${paths.format} does not name a format that Startrail ever wrote: choose another folder in STARTRAIL_HOME, or put {"format":${HOME_FORMAT}} there if this is a home`,
  );
}

/** Makes the home if needed and shows that it can be written. Throws HomeUnusable | StoreFull | HomeTooNew. */
export function prepareHome(home: string): HomePaths {
  const paths = homePaths(home);
  const cure = 'choose a folder that can be written with STARTRAIL_HOME';
  try {
    mkdirSync(home, { recursive: true });
    if (!statSync(home).isDirectory()) throw Object.assign(new Error('not a folder'), { code: 'ENOTDIR' });
    checkFormat(paths);
    mkdirSync(paths.logs, { recursive: true });
    accessSync(home, constants.W_OK);
    if (readJson(paths.format) === undefined) writeJson(paths.format, { format: HOME_FORMAT });
  } catch (error) {
    if (error instanceof CliError) throw error;
    const code = errno(error);
    if (['ENOSPC', 'EDQUOT'].includes(code))
      throw new CliError(EXIT.unreachable, 'StoreFull', `no space left for the home ${home}: free some, or ${cure}`);
    const why =
      {
        EEXIST: 'it is not a folder',
        ENOTDIR: 'it is not a folder',
        EROFS: 'the disk is read-only',
        EACCES: 'access is denied',
      }[code] ?? (error instanceof Error ? error.message : String(error));
    throw new CliError(EXIT.unreachable, 'HomeUnusable', `the home ${home} cannot be used (${why}): ${cure}`);
  }
  return paths;
}

/** What the last owner wrote, whether it lives or not. */
export function readOwner(paths: HomePaths): Owner | undefined {
  const parsed = Owner.safeParse(readJson(paths.owner));
  return parsed.success ? parsed.data : undefined;
}

/** The living owner's entry; `entry` is undefined in the moment between its claim and its first word. */
export function livingOwner(paths: HomePaths): { pid: number; entry: Owner | undefined } | undefined {
  const owner = currentOwner(paths.lock);
  if (!owner) return undefined;
  const entry = readOwner(paths);
  return { pid: owner.pid, entry: entry?.claim === owner.n ? entry : undefined };
}
