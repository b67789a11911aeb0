/**
 * How a server is approached: so many requests at once, again after a pause that grows, and not before the moment it named.
 *
 *   const pace = createPace({ concurrency: 8, tries: 5 });
 *   await pace.run(() => client.post(…), signal);
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ServerTrouble } from './client.ts';

export interface PaceOptions {
  concurrency: number;
  /** Of one request, the first included. */
  tries: number;
  /** Before the second try; twice as long before each one after. */
  pauseMs?: number;
}

const LONGEST_PAUSE_MS = 30_000;

export interface Pace {
  /** Rejects with the last try's trouble, or with the signal's reason. */
  run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

export function createPace({ concurrency, tries, pauseMs = 500 }: PaceOptions): Pace {
  let free = concurrency;
  const waiting: (() => void)[] = [];
  /** Nobody asks before: a limit that one request met is everybody's. */
  let notBefore = 0;

  const pause = async (ms: number, signal: AbortSignal) => {
    try {
      await sleep(ms, undefined, { signal });
    } catch {
      throw signal.reason;
    }
  };
  const attempts = async <T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      for (let wait = notBefore - Date.now(); wait > 0; wait = notBefore - Date.now()) await pause(wait, signal);
      signal.throwIfAborted();
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof ServerTrouble)) throw error;
        if (error.retryAfterMs !== undefined) notBefore = Math.max(notBefore, Date.now() + error.retryAfterMs);
        if ((error.means !== 'away' && error.means !== 'doubtful') || attempt >= tries) throw error;
        // Half of it by chance, so that requests that failed together do not come back together.
        const whole = Math.min(pauseMs * 2 ** (attempt - 1), LONGEST_PAUSE_MS);
        await pause(whole * (0.5 + Math.random() / 2), signal);
      }
    }
  };
  return {
    async run(work, signal) {
      if (free > 0) free--;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        return await attempts(work, signal);
      } finally {
        const next = waiting.shift();
        if (next) next();
        else free++;
      }
    },
  };
}
