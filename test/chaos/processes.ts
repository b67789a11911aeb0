/**
 * Everything a command line started, and whether it still lives. Each command is started as the leader of a process group of
 * its own, and nothing of Startrail leaves its group, so the group is the whole tree, orphans included.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { commandOf, identityOf, isAlive } from '../../cli/process-identity.ts';
import type { ProcessIdentity } from '../../cli/process-identity.ts';

export type Role = 'cli' | 'worker' | 'engine' | 'server' | 'other';
export interface Member extends ProcessIdentity {
  role: Role;
  command: string;
}

function groupOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]);
  } catch {
    return undefined;
  }
}

function pidsOf(group: number): number[] {
  if (process.platform === 'linux')
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => Number.isInteger(pid) && groupOf(pid) === group);
  return execFileSync('ps', ['-axo', 'pid=,pgid='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([pid, of]) => (of === group && pid !== undefined ? [pid] : []));
}

function roleOf(command: string): Role {
  if (/cli[/\\]main\.ts/.test(command)) return 'cli';
  if (/workers[/\\]main\.ts/.test(command)) return 'worker';
  if (/engine[/\\]child\.ts/.test(command)) return 'engine';
  return command.includes('server start-dev') ? 'server' : 'other';
}

/** The living processes of a group; a zombie does not count. */
export function members(group: number): Member[] {
  return pidsOf(group).flatMap((pid) => {
    const identity = identityOf(pid);
    const command = commandOf(pid);
    return identity === undefined || !command ? [] : [{ ...identity, command, role: roleOf(command) }];
  });
}

/** Ends exactly this process, if it is still the one that was seen. */
export function kill(identity: ProcessIdentity, signal: NodeJS.Signals = 'SIGKILL'): void {
  if (!isAlive(identity)) return;
  try {
    process.kill(identity.pid, signal);
  } catch {
    // It ended in between.
  }
}

/** What a process is doing, for the message of a failed test. */
export function stateOf(pid: number): string {
  try {
    const threads = readdirSync(`/proc/${pid}/task`).map((task) =>
      readFileSync(`/proc/${pid}/task/${task}/stat`, 'utf8'),
    );
    return threads.map((stat) => stat.slice(stat.indexOf('('), stat.lastIndexOf(')') + 3)).join(' ');
  } catch {
    return 'unknown';
  }
}
