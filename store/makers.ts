/** Who made a temporary file: a process, by its number and its start, since numbers are given out again. */
import { readFileSync } from 'node:fs';
import { errno } from './errno.ts';

/** Start of a process in clock ticks since boot; undefined where /proc does not tell. */
function startOf(pid: number | 'self'): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
/** Of this process. */
export const ownStart = startOf('self') ?? '0';

/** Whether the process that had this number and this start still runs. */
export function isAlive(pid: number, start: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (errno(error) === 'ESRCH') return false;
  }
  // The number may have gone to another process since.
  const now = startOf(pid);
  return now === undefined || start === '0' || now === start;
}
