/** Turns the errors of stores, engines and zod into failures that Temporal keeps: one stable code, a sentence, details. */
import { ApplicationFailure } from '@temporalio/common';
import type { z } from 'zod';
import { EngineError } from '../engine/engine.ts';
import { FAILURES } from '../schemas/failure.ts';
import type { FailureCode } from '../schemas/failure.ts';
import { StoreError } from '../store/store.ts';

export function failure(code: FailureCode, message: string, ...details: unknown[]): ApplicationFailure {
  return ApplicationFailure.create({ type: code, message, details, nonRetryable: !FAILURES[code].retryable });
}

export interface FieldProblem {
  field: string;
  message: string;
}

export const invalidInput = (problems: FieldProblem[]): ApplicationFailure =>
  failure('InvalidInput', problems.map((problem) => `${problem.field}: ${problem.message}`).join('; '), problems);

export const fieldsOf = (error: z.ZodError, prefix: string[] = []): FieldProblem[] =>
  error.issues.map((issue) => ({ field: [...prefix, ...issue.path].join('.') || '(root)', message: issue.message }));

/** Rethrows what is known under its code; anything else stays what it is and is retried. */
export function rethrow(error: unknown): never {
  if (error instanceof StoreError) throw failure(error.code, error.sentence, { digest: error.digest });
  if (error instanceof EngineError) throw failure(error.code, error.message);
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === 'string' && code in FAILURES)
    throw failure(code as FailureCode, (error as Error).message, { digest: (error as { digest?: unknown }).digest });
  throw error;
}
