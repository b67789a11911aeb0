/**
 * Exit codes and the one error class of the command line.
 *
 *   0 done or stopped · 1 failed, cancelled or terminated · 2 bad input or unknown run (nothing was started)
 *   3 server or store unreachable · 4 waiting or paused · 5 the home is owned by another process · 130 detached
 */
import type { RunStatus } from '../schemas/run.ts';
import { codecFailure, ConnectionError } from '../connection/failure.ts';
import type { ConnectionCode } from '../connection/failure.ts';
import { StoreError } from '../store/store.ts';

export const EXIT = { ok: 0, failed: 1, input: 2, unreachable: 3, waiting: 4, owned: 5, detached: 130 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** A trouble that is told in one sentence with its cure, and ends the command with a code of the contract. */
export class CliError extends Error {
  override readonly name = 'CliError';
  constructor(
    readonly exit: ExitCode,
    readonly code: string,
    message: string,
    readonly details: unknown = null,
  ) {
    super(message);
  }
}

const BY_STATUS: Record<RunStatus, ExitCode> = {
  // A command that ends while the run goes on has detached from it.
  running: EXIT.detached,
  paused: EXIT.waiting,
  waiting: EXIT.waiting,
  done: EXIT.ok,
  stopped: EXIT.ok,
  failed: EXIT.failed,
  cancelled: EXIT.failed,
  terminated: EXIT.failed,
};
export const exitOfStatus = (status: RunStatus): ExitCode => BY_STATUS[status];

/** What this side declares wrongly is bad input; the rest is a server that cannot be used from here. */
const exitOfConnection = (code: ConnectionCode): ExitCode =>
  code === 'ProfileInvalid' || code === 'CodecKeysInvalid' ? EXIT.input : EXIT.unreachable;

const errnoOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

/** What the system's word for a file that cannot be written means for a home; undefined for other words. */
export const homeCode = (errno: string | undefined): 'StoreFull' | 'HomeUnusable' | undefined =>
  errno === 'ENOSPC' || errno === 'EDQUOT'
    ? 'StoreFull'
    : ['EACCES', 'EROFS', 'ENOTDIR', 'EPERM'].includes(errno ?? '')
      ? 'HomeUnusable'
      : undefined;

/** Whatever was thrown, as an error that has an exit code. What nobody foresaw is a failure of this program: 1. */
export function asCliError(error: unknown): CliError {
  if (error instanceof CliError) return error;
  if (error instanceof StoreError) {
    return new CliError(EXIT.unreachable, error.code, error.sentence, { digest: error.digest ?? null });
  }
  const known = error instanceof ConnectionError ? error : codecFailure(error);
  if (known) return new CliError(exitOfConnection(known.code), known.code, known.sentence);
  const errno = errnoOf(error);
  const message = error instanceof Error ? error.message : String(error);
  const ofHome = homeCode(errno);
  if (ofHome !== undefined) return new CliError(EXIT.unreachable, ofHome, message);
  return new CliError(EXIT.failed, 'Unexpected', message, {
    stack: error instanceof Error ? (error.stack ?? null) : null,
  });
}
