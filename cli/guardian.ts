/**
 * Ends the Temporal server when its owner is gone.
 *
 * The server takes no notice of a closed pipe, and a SIGKILL leaves the owner no time to end it. A shell (1.6 MB resident
 * with dash; a Node process takes 40) waits on a pipe that only the owner holds. A line on the pipe means that the server
 * has ended in good order; the end of the pipe means that the owner is dead. Were this the worker's duty, a server would
 * stay behind whenever owner and worker are killed at once.
 *
 * It ends the process only if its command still names this home's database.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Guardian {
  /** To be called in the same tick in which the server was started. */
  watch(pid: number, needle: string): void;
  standDown(): void;
}

export function startGuardian(): Guardian {
  const script = fileURLToPath(new URL('guardian.sh', import.meta.url));
  // What it guards goes over the pipe, not the command line, so that a search for the server never finds its guardian.
  const child = spawn('sh', [script], { stdio: ['pipe', 'ignore', 'ignore'] });
  child.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  child.unref();
  return {
    watch: (pid, needle) => child.stdin.write(`${pid} ${needle}\n`),
    standDown: () => child.stdin.end('ended\n'),
  };
}
