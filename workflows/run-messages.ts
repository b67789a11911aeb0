/**
 * What a run answers to (updates, the progress query), how its input is read and how its failures are told. Names and shapes
 * are in schemas/run.ts.
 */
import { ActivityFailure, ChildWorkflowFailure, defineQuery, defineUpdate, workflowInfo } from '@temporalio/workflow';
import { ApplicationFailure, TerminatedFailure } from '@temporalio/common';
import type { z } from 'zod';
import { QUERIES, UPDATES, WORKFLOWS } from '../schemas/run.ts';
import type { Progress } from '../schemas/run.ts';
import { HALTED } from './gate.ts';

export const pauseUpdate = defineUpdate<string>(UPDATES.pause);
export const resumeUpdate = defineUpdate<string>(UPDATES.resume);
export const stopUpdate = defineUpdate<string, [unknown?]>(UPDATES.stop);
export const retryUpdate = defineUpdate<string, [unknown?]>(UPDATES.retryIteration);
export const abandonUpdate = defineUpdate<string>(UPDATES.abandon);
export const runProgress = defineQuery<Progress>(QUERIES.progress);

/** Reads JSON from outside; throws InvalidInput, which fails the run (or the update) at once, with every field that is wrong. */
export function parse<T extends z.ZodType>(schema: T, raw: unknown): z.output<T> {
  const result = schema.safeParse(raw);
  const slipped = prototypeIn(raw);
  if (result.success && !slipped) return result.data;
  const problems = [...(result.error?.issues ?? []), ...(slipped ?? [])].map((issue) => ({
    field: issue.path.join('.') || '(root)',
    message: `${issue.message}${foundAt(raw, issue.path)}`,
  }));
  throw ApplicationFailure.nonRetryable(
    problems.map((one) => `${one.field}: ${one.message}`).join('; '),
    'InvalidInput',
    problems,
  );
}

/** zod drops a key `__proto__` without a word; whoever sends one means to get something past the checks. */
function prototypeIn(raw: unknown, path: string[] = []): { path: string[]; message: string }[] | undefined {
  if (typeof raw !== 'object' || raw === null) return undefined;
  for (const [key, value] of Object.entries(raw)) {
    const found =
      key === '__proto__' ? [{ path, message: 'Unrecognized key: "__proto__"' }] : prototypeIn(value, [...path, key]);
    if (found) return found;
  }
  return undefined;
}

/**
 * Refuses a workflow that somebody started by itself, whose input nobody has checked: `starRun` makes it from what `resolve`
 * returns. Throws InvalidInput.
 */
export function mustHaveParent(type: string): void {
  const { workflowType, parent } = workflowInfo();
  if (workflowType !== type || parent !== undefined) return;
  const message = `${type} is a part of a run and cannot be started by itself; start ${WORKFLOWS.run} with {"recipe": …, "task": …}`;
  throw ApplicationFailure.nonRetryable(message, 'InvalidInput', [{ field: '(root)', message }]);
}

/** What stands at a path of the input, shortened; the empty string where nothing does. */
function foundAt(raw: unknown, path: readonly PropertyKey[]): string {
  let found = raw;
  for (const step of path) found = (found as Record<PropertyKey, unknown> | null | undefined)?.[step];
  if (found === undefined || path.length === 0) return '';
  const text = JSON.stringify(found);
  return `, found ${text.length > 80 ? `${text.slice(0, 79)}…` : text}`;
}

/** The sentence in a failure that a person can use. */
export function reasonOf(error: unknown): string {
  let found: unknown = error;
  while ((found instanceof ChildWorkflowFailure || found instanceof ActivityFailure) && found.cause)
    found = found.cause;
  if (found instanceof ApplicationFailure) return found.type ? `${found.type}: ${found.message}` : found.message;
  return found instanceof Error ? found.message : String(found);
}

/** What a run fails with when its frame failed for good; bad input keeps its fields. */
export function runFailure(error: ActivityFailure): ApplicationFailure {
  const failed = error.cause instanceof ApplicationFailure ? error.cause : undefined;
  if (failed?.type === 'InvalidInput')
    return ApplicationFailure.nonRetryable(failed.message, 'InvalidInput', ...(failed.details ?? []));
  return ApplicationFailure.nonRetryable(reasonOf(error), failed?.type ?? 'RunFailed');
}

/** The iteration ended because the run was told to stop, not because something failed. */
export function isHalted(error: unknown): boolean {
  if (!(error instanceof ChildWorkflowFailure)) return false;
  if (error.cause instanceof TerminatedFailure) return false;
  if (error.cause instanceof ChildWorkflowFailure) return isHalted(error.cause); // a fan-out of the iteration
  return error.cause instanceof ApplicationFailure && error.cause.type === HALTED;
}
