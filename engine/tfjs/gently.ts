/**
 * Long sums in steps: all at once, or with room in between for what else the process has to do. A worker that exports a model
 * sends heartbeats meanwhile; one that is silent for some seconds is taken for dead, and its shard is begun again.
 *
 *   const digest = await gently(digestSteps(tensors));
 *
 * Which of the two changes no result. Limits: a step itself is not cut; make it milliseconds.
 */
import { setImmediate as others } from 'node:timers/promises';

export type Steps<T> = Generator<undefined, T>;

/** The event loop is held for about so long. */
const HELD_MS = 50;

export async function gently<T>(steps: Steps<T>): Promise<T> {
  for (let began = performance.now(); ;) {
    const { done, value } = steps.next();
    if (done) return value;
    if (performance.now() - began < HELD_MS) continue;
    await others();
    began = performance.now();
  }
}

export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}
