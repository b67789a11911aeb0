/** Refused requests in the log, a few a second: whoever sends thousands must not fill the disk. */
import { inspect } from 'node:util';
import { oneLine } from '../report/untrusted.ts';
import type { LogEntry } from './installation.ts';
import type { Refused } from './refusal.ts';

const MOST_A_SECOND = 20;

/** What is told: to us why something failed, of what others sent the sentence that they got. */
const messageOf = ({ cause, message }: Refused): string =>
  cause === undefined ? oneLine(message, 300) : inspect(cause);

export function refusalLog(log: (entry: LogEntry) => void) {
  let [second, told, unlogged] = [-1, 0, 0];
  return (refused: Refused, method: string, target: string): void => {
    const { status, code } = refused;
    const current = Math.floor(performance.now() / 1_000);
    if (current !== second) [second, told] = [current, 0];
    if (told >= MOST_A_SECOND) {
      unlogged++;
      return;
    }
    told++;
    log({
      level: status >= 500 ? 'error' : 'warn',
      ...{ code, status, method: oneLine(method, 20), target: oneLine(target, 200), message: messageOf(refused) },
      ...(unlogged > 0 && { unlogged }),
    });
    unlogged = 0;
  };
}
