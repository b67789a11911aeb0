/** Refused requests in the log, a few a second: whoever sends thousands must not fill the disk. */
import { oneLine } from '../report/untrusted.ts';
import type { LogEntry } from './installation.ts';
import type { Refused } from './refusal.ts';

const MOST_A_SECOND = 20;

/** @param now milliseconds */
export function refusalLog(log: (entry: LogEntry) => void, now: () => number = () => performance.now()) {
  let [second, told, unlogged] = [-1, 0, 0];
  return ({ status, code, message }: Refused, method: string, target: string): void => {
    const current = Math.floor(now() / 1_000);
    if (current !== second) [second, told] = [current, 0];
    if (told >= MOST_A_SECOND) {
      unlogged++;
      return;
    }
    told++;
    log({
      level: status >= 500 ? 'error' : 'warn',
      ...{ code, status, method: oneLine(method, 20), target: oneLine(target, 200), message: oneLine(message, 300) },
      ...(unlogged > 0 && { unlogged }),
    });
    unlogged = 0;
  };
}
