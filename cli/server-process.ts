/** Temporal's development server as a child of the owner: SQLite file, loopback only, UI on a port of its own. */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { CliError, EXIT } from './exit.ts';
import { startGuardian } from './guardian.ts';
import type { HomePaths } from './home.ts';
import type { Ports } from './ports.ts';
import { logTail, supervise } from './supervise.ts';
import type { Started, Supervised, SuperviseOptions } from './supervise.ts';

/** What stands in the command line of this home's server, and of no other process. */
export const serverNeedle = (paths: HomePaths): string => `--db-filename ${paths.database}`;

export const serverArguments = (paths: HomePaths, ports: Ports): string[] => [
  ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(ports.server), '--ui-port', String(ports.ui)],
  ...['--db-filename', paths.database, '--log-level', 'error', '--ui-disable-news-fetch'],
  // Write-ahead log: one sync fewer a commit. A killed server loses nothing; a power cut may lose the last moment, and what
  // was done in it is found in the store's memo.
  ...['--sqlite-pragma', 'journal_mode=wal', '--sqlite-pragma', 'synchronous=1'],
];

const sizeOf = (file: string): number => {
  try {
    return statSync(file).size;
  } catch {
    return 0;
  }
};
const textFrom = (file: string, offset: number): string => {
  try {
    return readFileSync(file).subarray(offset).toString('utf8');
  } catch {
    return '';
  }
};

/**
 * The server makes its tables only where there is no database file: killed while it makes them, it never starts again on
 * what it left ("no such table"). Until a server has served, nothing can be in the database, so that it may go. The folder
 * of run documents protects homes that are older than the mark.
 */
function dropHalfMade(paths: HomePaths): void {
  if (!existsSync(paths.database)) rmSync(paths.served, { force: true });
  else if (!existsSync(paths.served) && !existsSync(path.join(paths.store, 'names', 'runs')))
    for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(`${paths.database}${suffix}`, { force: true });
}

function markServed(paths: HomePaths): void {
  try {
    writeFileSync(paths.served, '');
  } catch {
    // A full disk must not take down what runs.
  }
}

function startServer(temporal: string, paths: HomePaths, ports: Ports): Started {
  dropHalfMade(paths);
  const guardian = startGuardian();
  const offset = sizeOf(paths.serverLog);
  const log = openSync(paths.serverLog, 'a');
  const child = spawn(temporal, serverArguments(paths, ports), { stdio: ['ignore', log, log] });
  closeSync(log);
  if (child.pid !== undefined) guardian.watch(child.pid, serverNeedle(paths));
  let over = false;
  // The server says in its own log that it serves; a port that answers could be somebody else's.
  const ready = new Promise<void>((done) => {
    const look = setInterval(() => {
      if (over) clearInterval(look);
      else if (textFrom(paths.serverLog, offset).includes('Temporal Server:')) {
        clearInterval(look);
        markServed(paths);
        done();
      }
    }, 25);
  });
  return {
    child,
    ready,
    ended: () => {
      over = true;
      guardian.standDown();
    },
  };
}

export const superviseServer = (
  temporal: string,
  paths: HomePaths,
  ports: Ports,
  hooks: Pick<SuperviseOptions, 'say' | 'changed'>,
): Supervised =>
  supervise({
    name: 'server',
    start: () => startServer(temporal, paths, ports),
    ...hooks,
    explain: (exit) => {
      const tail = logTail(textFrom(paths.serverLog, Math.max(0, sizeOf(paths.serverLog) - 4_000)));
      const taken = tail.includes('address already in use');
      return new CliError(
        EXIT.unreachable,
        taken ? 'PortInUse' : 'ServerFailed',
        taken
          ? `another program took the port of this home's Temporal server (${ports.server} or ${ports.ui}): end it, or start again, which chooses another port`
          : `the Temporal server cannot run (${exit}); last lines of ${paths.serverLog}:\n${tail}`,
      );
    },
  });
