/**
 * Follows a run to its end, through deaths of server, worker and of the process that owned the home.
 *
 * When the owner that this process was attached to is gone, this process becomes the owner and the run goes on.
 */
import { WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { codecFailure } from '../connection/failure.ts';
import type { Progress, RunStatus } from '../schemas/run.ts';
import { livingOwner } from './home.ts';
import { emptyMemory, look } from './look.ts';
import { pause, unreachable } from './session.ts';
import type { Session } from './session.ts';
import type { View } from './view.ts';

export interface Followed {
  status: RunStatus;
  progress: Progress | null;
  /** Why it failed. */
  failure: { code: string; message: string; details: unknown } | null;
}

export interface FollowOptions {
  runId: string;
  session: Session;
  /** A new session when the owner of the old one is gone. */
  renew: () => Promise<Session>;
  view: View;
  /** Return when the run is paused or waits for somebody. */
  untilWaiting: boolean;
  /** Aborted = detach. */
  signal: AbortSignal;
  everyMs?: number;
}

const REMOTE_PATIENCE_MS = 30_000;
/** Longer than the longest pause between two attempts. */
const LOCKED_PATIENCE_MS = 15_000;

const CLOSED: Record<string, RunStatus> = {
  COMPLETED: 'done',
  FAILED: 'failed',
  TIMED_OUT: 'failed',
  CANCELLED: 'cancelled',
  TERMINATED: 'terminated',
};

export class Detached extends Error {}

/** Throws Detached, ServerUnreachable, WorkflowNotFoundError. `options.session` is the one in use when it returns. */
export async function follow(options: FollowOptions): Promise<Followed> {
  const { runId, view, signal } = options;
  let memory = emptyMemory();
  let silentSince: number | null = null;
  let lockedSince: number | null = null;
  const orGone = <T>(work: Promise<T>): Promise<T> => unlessStopped(work, signal, options.session);

  for (;;) {
    const { session } = options;
    try {
      const seen = await orGone(look(session.connection, session.client, runId, memory, session.workerReady()));
      if (silentSince !== null) view.say('the server answers again');
      silentSince = null;
      view.show(seen);
      // A worker without the key tries in vain until somebody gives it one. What an earlier worker said is gone by then.
      const locked = [seen.stuck, ...seen.retries.map(({ message }) => message)].map(codecFailure).find(Boolean);
      lockedSince = locked ? (lockedSince ?? performance.now()) : null;
      if (locked && session.mode === 'owner' && performance.now() - (lockedSince ?? 0) > LOCKED_PATIENCE_MS)
        throw locked;
      const status = CLOSED[seen.workflow];
      if (status) return await orGone(ended(session, runId, status, seen.progress));
      const now = seen.progress?.status;
      if (options.untilWaiting && (now === 'paused' || now === 'waiting'))
        return { status: now, progress: seen.progress, failure: null };
    } catch (error) {
      if (!isTransport(error)) throw error;
      silentSince ??= performance.now();
      if (session.mode === 'attached' && !livingOwner(session.paths)) {
        view.say('the process that owned the home is gone; this one takes its place');
        await session.close();
        options.session = await orGone(options.renew());
        memory = { ...emptyMemory(), progress: memory.progress };
      } else if (session.mode === 'remote' && performance.now() - silentSince > REMOTE_PATIENCE_MS)
        throw unreachable(session.address, error);
    }
    await orGone(pause(options.everyMs ?? 1_000));
  }
}

/** CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNAVAILABLE: the server is away or busy, nothing is wrong with the question. */
const TRANSPORT = [1, 4, 8, 14];
function isTransport(error: unknown): boolean {
  if (error instanceof WorkflowNotFoundError) return false;
  for (let each = error; each instanceof Error; each = each.cause)
    if ('code' in each && TRANSPORT.includes(each.code as number)) return true;
  return false;
}

/**
 * The work's result, or a rejection as soon as the person leaves or the installation is given up. Not `Promise.race`: over
 * days its reactions would pile up on the promises that never settle.
 */
export function unlessStopped<T>(work: Promise<T>, signal: AbortSignal, session: Session): Promise<T> {
  return new Promise<T>((done, fail) => {
    const detach = () => {
      fail(new Detached('detached'));
    };
    if (signal.aborted) detach();
    signal.addEventListener('abort', detach, { once: true });
    const off = session.onFailed(fail);
    work.then(done, fail).finally(() => {
      signal.removeEventListener('abort', detach);
      off();
    });
  });
}

async function ended(session: Session, runId: string, status: RunStatus, progress: Progress | null): Promise<Followed> {
  if (status !== 'failed') return { status, progress, failure: null };
  try {
    await session.client.workflow.getHandle(runId).result();
    return { status, progress, failure: null };
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    let cause: unknown = error.cause;
    // The innermost application failure names the trouble; what lies around it only says where it passed.
    while (cause instanceof Error && !(cause instanceof ApplicationFailure) && cause.cause) cause = cause.cause;
    const code = cause instanceof ApplicationFailure ? (cause.type ?? 'Failed') : 'Failed';
    const details = cause instanceof ApplicationFailure ? (cause.details ?? null) : null;
    return {
      status,
      progress,
      failure: { code, message: cause instanceof Error ? cause.message : error.message, details },
    };
  }
}
