/**
 * What an engine's host and its child say to each other, as plain JSON: errors travel by code.
 */
import {
  EngineError,
  type Completion,
  type EngineDescription,
  type EngineErrorCode,
  type EngineProgress,
  type PartCosts,
  type PartsRequest,
  type SampleRequest,
  type ScoreRequest,
  type TrainRequest,
  type TrainResult,
} from './engine.ts';

export type ToChild =
  | { kind: 'sample'; id: number; request: SampleRequest }
  | { kind: 'train'; id: number; request: TrainRequest }
  | { kind: 'score'; id: number; request: ScoreRequest }
  | { kind: 'costs'; id: number; request: PartsRequest }
  | { kind: 'cancel'; id: number };

export type FromChild =
  | { kind: 'ready'; description: EngineDescription }
  /** The engine could not be made; the child ends. */
  | { kind: 'unavailable'; error: PortableError }
  | { kind: 'progress'; id: number; progress: EngineProgress }
  | { kind: 'result'; id: number; result: Completion[] | TrainResult | number[] | PartCosts[] }
  | { kind: 'error'; id: number; error: PortableError };

export interface PortableError {
  code?: EngineErrorCode;
  name: string;
  message: string;
  stack?: string;
}

export function toPortable(error: unknown): PortableError {
  if (error instanceof EngineError)
    return {
      code: error.code,
      name: error.name,
      message: error.sentence,
      stack: error.stack,
    };
  if (error instanceof Error) return { name: error.name, message: error.message, stack: error.stack };
  return { name: 'Error', message: String(error) };
}

export function fromPortable({ code, name, message, stack }: PortableError): Error {
  const error = code === undefined ? Object.assign(new Error(message), { name }) : new EngineError(code, message);
  // Where it happened in the child is worth more than where it was read.
  if (stack !== undefined) error.stack = stack;
  return error;
}
