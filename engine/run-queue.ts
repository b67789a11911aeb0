/**
 * How long a process has waited for a processor: on a machine that is busy with other work silence is no hang.
 *
 *   const before = runQueueWaits(pid);
 *   …
 *   longestWait(before, runQueueWaits(pid))   // 4200: ms that its most delayed thread stood in the run queue since
 *
 * From /proc/<pid>/task/<tid>/schedstat (Linux; the second number, ns). Elsewhere, and where the process is gone, nothing is known and
 * the wait is 0. A wait counts when it is over. A process that is stopped, blocked or loops without end on a free processor does not wait.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** Thread id → ms. */
export type RunQueueWaits = ReadonlyMap<string, number>;

export function runQueueWaits(pid: number | undefined): RunQueueWaits {
  const waits = new Map<string, number>();
  if (pid === undefined) return waits;
  const threads = `/proc/${pid}/task`;
  try {
    for (const thread of readdirSync(threads)) {
      const [, waited] = readFileSync(`${threads}/${thread}/schedstat`, 'utf8').split(' ');
      waits.set(thread, Number(waited) / 1e6);
    }
  } catch {
    // No such system, or the process ended meanwhile: what was read so far stands.
  }
  return waits;
}

/** Threads that began in between count from their start. */
export const longestWait = (before: RunQueueWaits, after: RunQueueWaits): number =>
  Math.max(0, ...[...after].map(([thread, waited]) => waited - (before.get(thread) ?? 0)));
