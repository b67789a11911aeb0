/**
 * Which model a server serves, for requests that come at once: those for the model that is served go ahead together, one for
 * another model waits until they are through, and before each the canary proves that it is so.
 *
 *   await serving.with(request.model, signal, (name) => sampleFrom(name));
 *
 * Proof: what the canary said when the checkpoint was first served is kept (canary-records.ts). Later it must say the same, and
 * the first time something else than any other checkpoint's. docs/decisions/0018-deploy-and-canary.md: why, and what it can't see.
 *
 * Errors: EngineServesOtherModel; whatever `put` and `ask` reject with; the signal's reason.
 */
import type { LocalCheckpoint } from '../engine.ts';
import { distance } from './canary.ts';
import type { Canary } from './canary.ts';
import type { CanaryRecord, CanaryRecords } from './canary-records.ts';
import { ServerTrouble } from './client.ts';

export interface ServingOptions {
  /** Has the server serve the checkpoint; gives the name it serves it by. */
  put(model: LocalCheckpoint, signal: AbortSignal): Promise<string>;
  /** Absent: the server is taken at its word. */
  proof?: {
    ask(name: string, signal: AbortSignal): Promise<Canary>;
    records: CanaryRecords;
    /** The error of a server that serves something else: `like` is the checkpoint it answers as, if that is known. */
    other(digest: string, like: string | undefined): Error;
    /** The error of a server whose answers to the same question are too far apart to tell models by. */
    unsteady(jitter: number): Error;
  };
}
export interface Serving {
  with<T>(model: LocalCheckpoint, signal: AbortSignal, work: (name: string) => Promise<T>): Promise<T>;
}

/** Two answers of the same weights are no further apart, unless they were when they were recorded. */
const ROUNDING = 1e-3;
const TIMES_JITTER = 4;
/** One of bfloat16 differs by some hundredths under load. */
const MOST_JITTER = 0.1;

const isLike = (canary: Canary, record: CanaryRecord): boolean =>
  distance(canary, record) <= Math.max(ROUNDING, TIMES_JITTER * record.jitter);

export function createServing({ put, proof }: ServingOptions): Serving {
  let served: { digest: string; name: string } | undefined;
  let users = 0;
  let idle: (() => void)[] = [];
  let turn: Promise<void> = Promise.resolve();

  const untilIdle = (signal: AbortSignal): Promise<void> =>
    users === 0 ? Promise.resolve() : unlessAborted(new Promise<void>((resolve) => idle.push(resolve)), signal);

  /** Whether it still serves what it was last given. One that does not answer may have lost it. */
  const still = async (digest: string, name: string, signal: AbortSignal): Promise<boolean> => {
    if (!proof) return true;
    try {
      const canary = await proof.ask(name, signal);
      return (await proof.records.read()).some((record) => record.digest === digest && isLike(canary, record));
    } catch (error) {
      if (error instanceof ServerTrouble) return false;
      throw error;
    }
  };
  const first = async (digest: string, name: string, signal: AbortSignal): Promise<void> => {
    if (!proof) return;
    const { ask, records, other, unsteady } = proof;
    const canary = await ask(name, signal);
    const known = await records.read();
    const own = known.find((record) => record.digest === digest);
    if (own && isLike(canary, own)) return;
    const like = known.find((record) => record.digest !== digest && isLike(canary, record));
    if (own || like) throw other(digest, like?.digest);
    const jitter = distance(canary, await ask(name, signal));
    if (jitter > MOST_JITTER) throw unsteady(jitter);
    await records.write({ ...canary, digest, jitter });
  };
  const ready = async (model: LocalCheckpoint, signal: AbortSignal): Promise<string> => {
    const { digest } = model;
    if (served?.digest === digest) {
      const { name } = served;
      if (await still(digest, name, signal)) return name;
      // Sums differ under load: nothing is concluded from an answer among others.
      await untilIdle(signal);
      if (await still(digest, name, signal)) return name;
    }
    await untilIdle(signal);
    served = undefined;
    const name = await put(model, signal);
    await first(digest, name, signal);
    served = { digest, name };
    return name;
  };

  return {
    async with(model, signal, work) {
      const before = turn;
      let pass = (): void => undefined;
      turn = new Promise((resolve) => (pass = resolve));
      let name: string;
      try {
        await unlessAborted(before, signal);
        name = await ready(model, signal);
        users++;
      } finally {
        // Also where this one gave up waiting, the next comes after the one before.
        void before.then(pass);
      }
      try {
        return await work(name);
      } finally {
        if (--users === 0) {
          for (const go of idle) go();
          idle = [];
        }
      }
    },
  };
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const onAbort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
