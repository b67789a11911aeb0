/**
 * Which process is it? A pid alone is not enough: it is used again after a while. Pid and start time together are.
 *
 *   identityOf(process.pid) → { pid: 4711, start: "linux:3181234" }
 *
 * Linux reads /proc; elsewhere `ps` is asked (start time to the second). A zombie counts as dead: it does nothing any more.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessIdentity {
  pid: number;
  /** Opaque; equal only for the same process. */
  start: string;
}

const ps = (pid: number, columns: string): string | undefined => {
  try {
    const text = execFileSync('ps', ['-ww', '-o', columns, '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return text.trim() === '' ? undefined : text.trim();
  } catch {
    return undefined;
  }
};

/** The living process with this pid, or undefined. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  if (process.platform === 'linux') {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // The name in brackets may hold blanks and brackets; the fields begin after the last one.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
      return { pid, start: `linux:${fields[19]}` };
    } catch {
      return undefined;
    }
  }
  const state = ps(pid, 'stat=');
  const start = ps(pid, 'lstart=');
  return state === undefined || state.startsWith('Z') || start === undefined
    ? undefined
    : { pid, start: `ps:${start}` };
}

export const isAlive = (identity: ProcessIdentity): boolean => identityOf(identity.pid)?.start === identity.start;

/** Command line of a living process, its words separated by blanks. */
export function commandOf(pid: number): string | undefined {
  if (process.platform !== 'linux') return ps(pid, 'command=');
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return undefined;
  }
}

/** Processes whose command line holds this text. */
export function findByCommand(text: string): ProcessIdentity[] {
  let pids: number[];
  if (process.platform === 'linux') pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  else
    try {
      pids = execFileSync('ps', ['-axo', 'pid='], { encoding: 'utf8' }).trim().split(/\s+/).map(Number);
    } catch {
      return [];
    }
  return pids
    .filter((pid) => pid !== process.pid && commandOf(pid)?.includes(text))
    .map((pid) => identityOf(pid))
    .filter((identity) => identity !== undefined);
}

const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone already.
  }
};

const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

/** True once it is gone, false if it still lives after so long. */
export async function waitGone(identity: ProcessIdentity, ms: number): Promise<boolean> {
  const until = performance.now() + ms;
  while (isAlive(identity)) {
    if (performance.now() > until) return false;
    await pause(20);
  }
  return true;
}

/**
 * Ends a process that this home started earlier: SIGTERM, then SIGKILL. It does so only if pid, start time and command all
 * match, so that a pid that was given to somebody else is never touched.
 */
export async function endProcess(identity: ProcessIdentity, command: string, graceMs: number): Promise<void> {
  if (!isAlive(identity) || !commandOf(identity.pid)?.includes(command)) return;
  signal(identity.pid, 'SIGTERM');
  if (await waitGone(identity, graceMs)) return;
  if (isAlive(identity)) signal(identity.pid, 'SIGKILL');
  await waitGone(identity, 5_000);
}
