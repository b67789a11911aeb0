/**
 * What a run answers to (updates, the progress query), how its input is read and how its failures are told. Names and shapes
 * are in schemas/run.ts.
 */
import { ActivityFailure, ChildWorkflowFailure, defineQuery, defineUpdate } from '@temporalio/workflow';
import { ApplicationFailure, TerminatedFailure } from '@temporalio/common';
import type { z } from 'zod';
import { QUERIES, UPDATES } from '../schemas/run.ts';
import type { Progress } from '../schemas/run.ts';
import { HALTED } from './star-iteration.ts';

export const pauseUpdate = defineUpdate<string>(UPDATES.pause);
export const resumeUpdate = defineUpdate<string>(UPDATES.resume);
export const stopUpdate = defineUpdate<string, [unknown?]>(UPDATES.stop);
export const retryUpdate = defineUpdate<string, [unknown?]>(UPDATES.retryIteration);
export const abandonUpdate = defineUpdate<string>(UPDATES.abandon);
export const runProgress = defineQuery<Progress>(QUERIES.progress);

/** Reads JSON from outside; throws InvalidInput, which fails the run (or the update) at once, with every field that is wrong. */
export function parse<T extends z.ZodType>(schema: T, raw: unknown): z.output<T> {
  const result = schema.safeParse(raw);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => ({
    field: issue.path.join('.') || '(root)',
    message: issue.message,
  }));
  throw ApplicationFailure.nonRetryable(
    problems.map((one) => `${one.field}: ${one.message}`).join('; '),
    'InvalidInput',
    problems,
  );
}

/** The sentence in a failure that a person can use. */
export function reasonOf(error: unknown): string {
  let found: unknown = error;
  while ((found instanceof ChildWorkflowFailure || found instanceof ActivityFailure) && found.cause)
    found = found.cause;
  if (found instanceof ApplicationFailure) return found.type ? `${found.type}: ${found.message}` : found.message;
  return found instanceof Error ? found.message : String(found);
}

/** The iteration ended because the run was told to stop, not because something failed. */
export function isHalted(error: unknown): boolean {
  if (!(error instanceof ChildWorkflowFailure)) return false;
  if (error.cause instanceof TerminatedFailure) return false;
  return error.cause instanceof ApplicationFailure && error.cause.type === HALTED;
}
