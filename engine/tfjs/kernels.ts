/**
 * The library's kernels under one interface, so that a computation is written once and can be run op by op or recorded.
 *
 *   const k = new EagerKernels();
 *   const y = k.matmul(x, w, false, true);   // x · wᵀ, at once
 *
 * `Eager` calls the library for each op; `GraphKernels` (graph.ts) records the same calls. Every name below is a kernel of
 * TensorFlow ≥ 2.9; those that tfjs does not wrap itself are tried once at load and replaced by tfjs operations where the
 * library lacks them or they differ (see `probe`).
 */
import { backend, kernels, tf } from './native.ts';
import type { Tensor } from './native.ts';

const { binding } = backend;
/** One attribute of an op as the binding takes it. */
export interface Attribute {
  name: string;
  type: number;
  value: unknown;
}
/** Codes of attribute kinds and element types, from the binding. */
export const CODES = {
  type: binding['TF_ATTR_TYPE']!,
  int: binding['TF_ATTR_INT']!,
  bool: binding['TF_ATTR_BOOL']!,
  float32: binding['TF_FLOAT']!,
  int32: binding['TF_INT32']!,
  complex64: binding['TF_COMPLEX64']!,
};
const type = (name: string, value: number): Attribute => ({ name, type: CODES.type, value });
const bool = (name: string, value: boolean): Attribute => ({ name, type: CODES.bool, value });
const int = (name: string, value: number): Attribute => ({ name, type: CODES.int, value });
const FLOAT = [type('T', CODES.float32)];
const COMPLEX = [type('T', CODES.complex64)];

/** The ops a decoder needs, over values of type `V` (a tensor, or a node of a graph). All are float32 unless said. */
export abstract class Kernels<V> {
  /** Runs or records one op. */
  abstract run(op: string, attributes: Attribute[], inputs: V[], outputs: number): V[];
  /** A constant int32 tensor; lives as long as this object. */
  abstract ints(values: readonly number[], shape?: number[]): V;
  /** A constant float32 tensor; lives as long as this object. */
  abstract floats(values: Float32Array, shape: number[]): V;
  /** A constant float32 number; lives as long as this object. */
  abstract scalar(value: number): V;
  /** Says that nobody reads these any more. */
  abstract free(...values: V[]): void;

  #one(op: string, attributes: Attribute[], ...inputs: V[]): V {
    return this.run(op, attributes, inputs, 1)[0]!;
  }

  /** a · b over [m, k] and [k, n]; the flags transpose first. */
  matmul(a: V, b: V, transposeA = false, transposeB = false): V {
    return this.#one('MatMul', [bool('transpose_a', transposeA), bool('transpose_b', transposeB), ...FLOAT], a, b);
  }
  /** As matmul over the last two axes; leading axes are broadcast. */
  batchMatmul(a: V, b: V, transposeA = false, transposeB = false): V {
    return this.#one('BatchMatMulV2', [bool('adj_x', transposeA), bool('adj_y', transposeB), ...FLOAT], a, b);
  }
  add(a: V, b: V): V {
    return this.#one('AddV2', FLOAT, a, b);
  }
  /** Sum of equal shapes in one pass. */
  addN(...values: V[]): V {
    return this.#one('AddN', [int('N', values.length), ...FLOAT], ...values);
  }
  sub(a: V, b: V): V {
    return this.#one('Sub', FLOAT, a, b);
  }
  mul(a: V, b: V): V {
    return this.#one('Mul', FLOAT, a, b);
  }
  div(a: V, b: V): V {
    return this.#one('RealDiv', FLOAT, a, b);
  }
  minimum(a: V, b: V): V {
    return this.#one('Minimum', FLOAT, a, b);
  }
  square(x: V): V {
    return this.#one('Square', FLOAT, x);
  }
  sqrt(x: V): V {
    return this.#one('Sqrt', FLOAT, x);
  }
  rsqrt(x: V): V {
    return this.#one('Rsqrt', FLOAT, x);
  }
  exp(x: V): V {
    return this.#one('Exp', FLOAT, x);
  }
  sigmoid(x: V): V {
    return this.#one('Sigmoid', FLOAT, x);
  }
  relu(x: V): V {
    return this.#one('Relu', FLOAT, x);
  }
  /** gradient where the output of relu is positive, else 0. */
  reluGrad(gradient: V, output: V): V {
    return this.#one('ReluGrad', FLOAT, gradient, output);
  }
  /** Over the last axis. */
  softmax(x: V): V {
    return this.#one('Softmax', FLOAT, x);
  }
  #reduce(op: string, x: V, axis: number, keep: boolean): V {
    return this.#one(op, [bool('keep_dims', keep), ...FLOAT, type('Tidx', CODES.int32)], x, this.ints([axis]));
  }
  sum(x: V, axis: number, keep = false): V {
    return this.#reduce('Sum', x, axis, keep);
  }
  max(x: V, axis: number): V {
    return this.#reduce('Max', x, axis, false);
  }
  /** √Σx² along the axis, which stays with length 1. */
  euclideanNorm(x: V, axis: number): V {
    return this.#reduce('EuclideanNorm', x, axis, true);
  }
  /** Σx²/2 over everything: a scalar. */
  l2Loss(x: V): V {
    return this.#one('L2Loss', FLOAT, x);
  }
  reshape(x: V, shape: number[]): V {
    return this.#one('Reshape', [...FLOAT, type('Tshape', CODES.int32)], x, this.ints(shape));
  }
  transpose(x: V, order: number[]): V {
    return this.#one('Transpose', [...FLOAT, type('Tperm', CODES.int32)], x, this.ints(order));
  }
  /** Along axis 0 into equal parts: no copy where the parts are aligned. */
  split(x: V, parts: number): V[] {
    return this.run('Split', [int('num_split', parts), ...FLOAT], [this.ints([0], []), x], parts);
  }
  /** A vector into vectors of these lengths. */
  splitVector(x: V, lengths: number[]): V[] {
    const attributes = [int('num_split', lengths.length), ...FLOAT, type('Tlen', CODES.int32)];
    return this.run('SplitV', attributes, [x, this.ints(lengths), this.ints([0], [])], lengths.length);
  }
  /** Along axis 0. */
  concat(...values: V[]): V {
    const attributes = [int('N', values.length), ...FLOAT, type('Tidx', CODES.int32)];
    return this.#one('ConcatV2', attributes, ...values, this.ints([0], []));
  }
  /** Rows `ids` (int32) of x. */
  gather(x: V, ids: V): V {
    const attributes = [type('Tparams', CODES.float32), type('Tindices', CODES.int32), type('Taxis', CODES.int32)];
    return this.#one('GatherV2', attributes, x, ids, this.ints([0], []));
  }
  /** [rows, …]: row i is the sum of those rows of x whose id (int32) is i. */
  segmentSum(x: V, ids: V, rows: number): V {
    const attributes = [...FLOAT, type('Tindices', CODES.int32), type('Tnumsegments', CODES.int32)];
    return this.#one('UnsortedSegmentSum', attributes, x, ids, this.ints([rows], []));
  }
  /** Loss of each row [rows] and its gradient [rows, classes], in one pass. */
  crossEntropy(logits: V, targets: V): [loss: V, gradient: V] {
    const attributes = [...FLOAT, type('Tlabels', CODES.int32)];
    return this.run('SparseSoftmaxCrossEntropyWithLogits', attributes, [logits, targets], 2) as [V, V];
  }
  /** Pairs [rows, n, 2] read as complex numbers, times those of the table [1, n, 2]. */
  complexMul(x: V, table: V): V {
    const toComplex = [...FLOAT, type('type', CODES.complex64)];
    const [a, b] = [this.#one('Bitcast', toComplex, x), this.#one('Bitcast', toComplex, table)];
    const product = this.#one('Mul', COMPLEX, a, b);
    const result = this.#one('Bitcast', [...COMPLEX, type('type', CODES.float32)], product);
    this.free(a, b, product);
    return result;
  }
}

/** Runs each op at once. Constants are kept until `dispose`; other results until `free` or the end of a tf.tidy. */
export class EagerKernels extends Kernels<Tensor> {
  readonly #constants = new Map<string, Tensor>();

  run(op: string, attributes: Attribute[], inputs: Tensor[], outputs: number): Tensor[] {
    return kernels(op, attributes, inputs, outputs);
  }
  ints(values: readonly number[], shape: number[] = [values.length]): Tensor {
    // Axes, shapes and lengths: few, small and asked for in every step.
    const key = `${shape.length}:${values.join()}`;
    let constant = this.#constants.get(key);
    if (constant === undefined) {
      constant = tf.keep(tf.tensor(Int32Array.from(values), shape, 'int32'));
      this.#constants.set(key, constant);
    }
    return constant;
  }
  floats(values: Float32Array, shape: number[]): Tensor {
    const constant = tf.keep(tf.tensor(values, shape, 'float32'));
    this.#constants.set(`float ${this.#constants.size}`, constant);
    return constant;
  }
  scalar(value: number): Tensor {
    const key = `scalar ${value}`;
    let constant = this.#constants.get(key);
    if (constant === undefined) {
      constant = tf.keep(tf.scalar(value));
      this.#constants.set(key, constant);
    }
    return constant;
  }
  free(...values: Tensor[]): void {
    for (const value of values) value.dispose();
  }
  dispose(): void {
    for (const constant of this.#constants.values()) constant.dispose();
    this.#constants.clear();
  }
}
