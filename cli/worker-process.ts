/**
 * The worker as a child of the owner. It ends by itself when its standard input closes, which a SIGKILL of the owner does
 * too. It speaks JSON lines: {"event":"ready"}, {"event":"failed","code","message"}.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';
import { CliError, EXIT, homeCode } from './exit.ts';
import type { HomePaths } from './home.ts';
import { logTail, supervise } from './supervise.ts';
import type { Started, Supervised, SuperviseOptions } from './supervise.ts';

export const checkout = path.resolve(fileURLToPath(new URL('..', import.meta.url)));

/** The program of the worker; tests put their own in its place. */
export const workerProgram = (): string[] => [
  path.join(checkout, 'scripts', 'start.mjs'),
  'workers/main.ts',
  '--owned',
];

/** What stands in the command line of this home's worker. */
export const workerNeedle = (paths: HomePaths): string => `--home ${paths.home}`;

interface WorkerTarget {
  paths: HomePaths;
  address: string;
  namespace: string;
  program: string[];
}
interface Failure {
  code: string;
  message: string;
}

function startWorker(target: WorkerTarget, failure: (failure: Failure) => void): Started {
  const errors = openSync(target.paths.workerLog, 'a');
  const child = spawn(
    process.execPath,
    [
      ...target.program,
      ...['--role', 'all', '--home', target.paths.home],
      ...['--address', target.address, '--namespace', target.namespace],
    ],
    { cwd: checkout, stdio: ['pipe', 'pipe', errors] },
  );
  closeSync(errors);
  child.stdin?.on('error', () => undefined);
  const ready = new Promise<void>((done) => {
    if (!child.stdout) return;
    readline.createInterface({ input: child.stdout }).on('line', (line) => {
      let event: { event?: unknown; code?: unknown; message?: unknown };
      try {
        event = JSON.parse(line) as typeof event;
      } catch {
        return;
      }
      if (event.event === 'ready') done();
      if (event.event === 'failed') failure({ code: String(event.code), message: String(event.message) });
    });
  });
  return { child, ready };
}

export function superviseWorker(target: WorkerTarget, hooks: Pick<SuperviseOptions, 'say' | 'changed'>): Supervised {
  let last: Failure | undefined;
  return supervise({
    name: 'worker',
    start: () => startWorker(target, (failure) => (last = failure)),
    ...hooks,
    explain: (exit) => {
      let tail = '';
      try {
        tail = logTail(readFileSync(target.paths.workerLog, 'utf8'));
      } catch {
        // No log: it died before its first word.
      }
      // A disk that is full, or a store that is away, when the worker starts: as for the command itself.
      const ofHome = homeCode(last?.code) ?? (last?.code.startsWith('Store') ? last.code : undefined);
      return new CliError(
        ofHome === undefined ? EXIT.failed : EXIT.unreachable,
        ofHome ?? last?.code ?? 'WorkerFailed',
        last
          ? `the worker cannot run: ${last.message}`
          : `the worker cannot run (${exit}); last lines of ${target.paths.workerLog}:\n${tail}`,
      );
    },
  });
}
