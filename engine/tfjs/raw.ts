/**
 * TensorFlow kernels on bare handles, for loops where the bookkeeping of tfjs costs more than the arithmetic.
 *
 *   const scope = new Scope();
 *   const y = scope.op('Relu', [T], [x]);
 *   scope.close();                        // frees y
 *
 * A handle is a number that the native binding maps to a tensor: nothing frees it but `free` or its scope. About 5 µs a
 * kernel against 13 µs through `tf.*`.
 */
import { backend } from './native.ts';

/** A native tensor; freed by hand. */
export type Handle = number;

interface Attribute {
  name: string;
  type: number;
  value: unknown;
}
interface Binding {
  createTensor(shape: number[], dtype: number, values: Float32Array | Int32Array): Handle;
  deleteTensor(id: Handle): void;
  tensorDataSync(id: Handle): Float32Array | Int32Array;
  executeOp(op: string, attributes: Attribute[], inputs: Handle[], outputs: number): { id: Handle }[];
  getNumOfTensors(): number;
  TF_Version: string;
}

const binding = backend.binding as unknown as Binding;
const code = backend.binding as unknown as Record<string, number>;

export const libraryVersion = binding.TF_Version;

const type = (name: string, value: number): Attribute => ({ name, type: code.TF_ATTR_TYPE!, value });
/** Attribute lists are built once: building them costs as much as a small kernel. */
export const T = type('T', code.TF_FLOAT!);
export const int = (name: string): Attribute => type(name, code.TF_INT32!);
export const float = (name: string): Attribute => type(name, code.TF_FLOAT!);
export const flag = (name: string, value: boolean): Attribute => ({ name, type: code.TF_ATTR_BOOL!, value });
export const count = (name: string, value: number): Attribute => ({ name, type: code.TF_ATTR_INT!, value });

/** A float32 tensor [shape] with a copy of `values`. */
export const tensor = (shape: number[], values: Float32Array): Handle =>
  binding.createTensor(shape, code.TF_FLOAT!, values.slice());
/** An int32 tensor [shape]. */
export const ints = (shape: number[], values: ArrayLike<number>): Handle =>
  binding.createTensor(shape, code.TF_INT32!, Int32Array.from(values));
export const read = (handle: Handle): Float32Array | Int32Array => binding.tensorDataSync(handle);
export const free = (...handles: Handle[]): void => {
  for (const handle of handles) binding.deleteTensor(handle);
};
/** Native tensors alive in this process. */
export const alive = (): number => binding.getNumOfTensors();
export const run = (op: string, attributes: Attribute[], inputs: Handle[]): Handle =>
  binding.executeOp(op, attributes, inputs, 1)[0]!.id;
export const execute = (op: string, attributes: Attribute[], inputs: Handle[], outputs: number): Handle[] =>
  binding.executeOp(op, attributes, inputs, outputs).map(({ id }) => id);

/** Handles that end together. */
export class Scope {
  #owned: Handle[] = [];

  op(op: string, attributes: Attribute[], inputs: Handle[]): Handle {
    return this.own(run(op, attributes, inputs));
  }

  own(handle: Handle): Handle {
    this.#owned.push(handle);
    return handle;
  }

  /** Frees all but `kept`, which the caller owns from now on. */
  close(...kept: Handle[]): void {
    for (const handle of this.#owned) if (!kept.includes(handle)) binding.deleteTensor(handle);
    this.#owned = [];
  }
}
