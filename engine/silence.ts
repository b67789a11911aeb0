/**
 * The clock of a process that says nothing: how long it may, and what it waits for a processor meanwhile does not count.
 *
 *   const stop = onSilence(child.pid, 60_000, () => child.kill('SIGKILL'));
 *   …                                     // it said a word
 *   stop();
 */
import { longestWait, runQueueWaits, type RunQueueWaits } from './run-queue.ts';

/** A wait for a processor below this share of the limit changes nothing; for all of them together so many limits are granted. */
const MUCH = 0.05;
const MOST = 5;

/** Calls `hung` once, unless it is stopped before. Every word of a busy process begins a silence, so nothing is read in its first half. */
export function onSilence(pid: number | undefined, limitMs: number, hung: () => void): () => void {
  let timer: NodeJS.Timeout;
  let waits: RunQueueWaits;
  let granted = 0;
  const fire = () => {
    const now = runQueueWaits(pid);
    // A loop without end waits too where others work, but each time less, and there is an end to patience.
    const more = Math.min(longestWait(waits, now), limitMs * MOST - granted);
    waits = now;
    if (more <= limitMs * MUCH) return hung();
    granted += more;
    timer = setTimeout(fire, more);
  };
  timer = setTimeout(() => {
    waits = runQueueWaits(pid);
    timer = setTimeout(fire, limitMs / 2);
  }, limitMs / 2);
  return () => clearTimeout(timer);
}
