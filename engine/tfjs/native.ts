/**
 * The one place that loads TensorFlow.
 *
 * Threads must be set before the library starts, and Node ≥ 23 lacks a function that tfjs-node 4.22 calls, so nothing else
 * may import `@tensorflow/tfjs-node-gpu`. `kernel` reaches every kernel of the library, not only those tfjs wraps.
 */
import { createRequire } from 'node:module';
import util from 'node:util';
import type * as TF from '@tensorflow/tfjs-node-gpu';

const require = createRequire(import.meta.url);

export type Tensor = TF.Tensor;

interface OpAttribute {
  name: string;
  type: number;
  value: unknown;
}
interface NativeBackend {
  binding: Record<string, number> & { TF_Version?: string };
  executeSingleOutput(op: string, attributes: OpAttribute[], inputs: Tensor[]): Tensor;
  executeMultipleOutputs(op: string, attributes: OpAttribute[], inputs: Tensor[], outputs: number): Tensor[];
}

// tfjs-node 4.22 calls util.isNullOrUndefined, removed in Node 23.
const legacy = util as unknown as { isNullOrUndefined?: (value: unknown) => boolean };
legacy.isNullOrUndefined ??= (value) => value === null || value === undefined;

export const threads = Number(process.env.STARTRAIL_ENGINE_THREADS ?? 2);
/** False: passes and steps run op by op (STARTRAIL_ENGINE_GRAPH=off), the reference that graphs are held against. */
export const graphsWanted = process.env.STARTRAIL_ENGINE_GRAPH !== 'off';
process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
process.env.TF_NUM_INTRAOP_THREADS = String(threads);
process.env.TF_NUM_INTEROP_THREADS = '1';
process.env.OMP_NUM_THREADS = String(threads);

export const tf = require('@tensorflow/tfjs-node-gpu') as typeof TF;
export const backend = tf.backend() as unknown as NativeBackend;

export const kernel = (op: string, attributes: OpAttribute[], inputs: Tensor[]): Tensor =>
  backend.executeSingleOutput(op, attributes, inputs);
export const kernels = (op: string, attributes: OpAttribute[], inputs: Tensor[], outputs: number): Tensor[] =>
  backend.executeMultipleOutputs(op, attributes, inputs, outputs);
