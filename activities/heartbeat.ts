/**
 * A heartbeat each second while work is under way. It comes from the worker's own process, so it says that this lives; an
 * engine that hangs in its child is noticed elsewhere, by the age of its progress.
 */
import { Context } from '@temporalio/activity';

const EVERY_MS = 1000;

/** `details` is asked at each beat. A local activity has no heartbeat: it lives as long as its workflow task. */
export async function beating<T>(work: () => Promise<T>, details?: () => unknown): Promise<T> {
  const context = Context.current();
  if (context.info.isLocal) return work();
  const beat = () => context.heartbeat(details?.());
  const timer = setInterval(beat, EVERY_MS);
  beat();
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
