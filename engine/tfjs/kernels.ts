/**
 * The library's kernels under one interface, so that a computation is written once and can be run op by op or recorded.
 *
 *   const k = new EagerKernels();
 *   const y = k.matmul(x, w, false, true);   // x · wᵀ, at once
 *
 * `EagerKernels` (eager.ts) calls the library for each op; `GraphKernels` (graph.ts) records the same calls. Kernels that
 * tfjs does not wrap itself are SPECIAL: where the library lacks one or it differs, what tfjs would do takes its place.
 */
import { backend } from './native.ts';

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
  string: binding['TF_ATTR_STRING']!,
  float32: binding['TF_FLOAT']!,
  int32: binding['TF_INT32']!,
  complex64: binding['TF_COMPLEX64']!,
};
const type = (name: string, value: number): Attribute => ({ name, type: CODES.type, value });
const bool = (name: string, value: boolean): Attribute => ({ name, type: CODES.bool, value });
const int = (name: string, value: number): Attribute => ({ name, type: CODES.int, value });
const FLOAT = [type('T', CODES.float32)];
const COMPLEX = [type('T', CODES.complex64)];
// oneDNN kernels with the interface of the plain one are registered under this label.
const ONEDNN: Attribute = { name: '_kernel', type: CODES.string, value: 'MklNameChangeOp' };

/** Kernels that are tried before use; each has another way, in terms of kernels that tfjs relies on itself. */
export const SPECIAL = [
  '_MklSoftmax',
  'AddN',
  'EuclideanNorm',
  'L2Loss',
  'ComplexMul',
  'UnsortedSegmentSum',
  'SparseSoftmaxCrossEntropyWithLogits',
] as const;
export type Special = (typeof SPECIAL)[number];

/** The ops a decoder needs, over values of type `V` (a tensor, or a node of a graph). All are float32 unless said. */
export abstract class Kernels<V> {
  /** @param without SPECIAL kernels that are not to be used. */
  constructor(readonly without: ReadonlySet<Special>) {}

  /** Runs or records one op. */
  abstract run(op: string, attributes: Attribute[], inputs: V[], outputs: number): V[];
  /** A constant int32 tensor; lives as long as this object. */
  abstract ints(values: readonly number[], shape?: number[]): V;
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
  /** As batchMatmul by Eigen: faster where the matrices are vectors, as in a step with a key head for every head. */
  smallMatmul(a: V, b: V, transposeB = false): V {
    const types = [type('Ta', CODES.float32), type('Tb', CODES.float32), type('Tout', CODES.float32)];
    return this.#one('BatchMatMulV3', [bool('adj_x', false), bool('adj_y', transposeB), ...types], a, b);
  }
  add(a: V, b: V): V {
    return this.#one('AddV2', FLOAT, a, b);
  }
  /** Sum of equal shapes in one pass. */
  addN(...values: [V, V, ...V[]]): V {
    if (this.without.has('AddN')) return values.reduce((a, b) => this.add(a, b));
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
  sigmoid(x: V): V {
    return this.#one('Sigmoid', FLOAT, x);
  }
  exp(x: V): V {
    return this.#one('Exp', FLOAT, x);
  }
  erf(x: V): V {
    return this.#one('Erf', FLOAT, x);
  }
  relu(x: V): V {
    return this.#one('Relu', FLOAT, x);
  }
  /** gradient where the output of relu is positive, else 0. */
  reluGrad(gradient: V, output: V): V {
    return this.#one('ReluGrad', FLOAT, gradient, output);
  }
  /** Over the last axis. oneDNN's takes a third of the time of the plain one. */
  softmax(x: V): V {
    if (this.without.has('_MklSoftmax')) return this.#one('Softmax', FLOAT, x);
    return this.#one('_MklSoftmax', [...FLOAT, ONEDNN], x);
  }
  #reduce(op: string, x: V, axis: number, keep: boolean): V {
    return this.#one(op, [bool('keep_dims', keep), ...FLOAT, type('Tidx', CODES.int32)], x, this.ints([axis]));
  }
  sum(x: V, axis: number, keep = false): V {
    return this.#reduce('Sum', x, axis, keep);
  }
  mean(x: V, axis: number, keep = false): V {
    return this.#reduce('Mean', x, axis, keep);
  }
  /** int32: where the largest number stands along the axis; of equals the first. */
  argMax(x: V, axis: number): V {
    const attributes = [...FLOAT, type('Tidx', CODES.int32), type('output_type', CODES.int32)];
    return this.#one('ArgMax', attributes, x, this.ints([axis], []));
  }
  /** x itself, its rows `at` (int32) overwritten by `values`: x must be read through the result only. */
  overwrite(x: V, at: V, values: V): V {
    return this.#one('InplaceUpdate', FLOAT, x, at, values);
  }
  /** √Σx² along the axis, which stays with length 1. */
  euclideanNorm(x: V, axis: number): V {
    if (this.without.has('EuclideanNorm')) return this.sqrt(this.sum(this.square(x), axis, true));
    return this.#reduce('EuclideanNorm', x, axis, true);
  }
  /** Σx²/2 of a vector: a scalar. */
  l2Loss(x: V): V {
    if (this.without.has('L2Loss')) return this.mul(this.sum(this.square(x), 0), this.scalar(0.5));
    return this.#one('L2Loss', FLOAT, x);
  }
  /** `shape`: numbers, of which one may be -1, or an int32 vector. */
  reshape(x: V, shape: number[] | { vector: V }): V {
    const target = Array.isArray(shape) ? this.ints(shape) : shape.vector;
    return this.#one('Reshape', [...FLOAT, type('Tshape', CODES.int32)], x, target);
  }
  transpose(x: V, order: number[]): V {
    return this.#one('Transpose', [...FLOAT, type('Tperm', CODES.int32)], x, this.ints(order));
  }
  /** The first `size` (int32 vector) of x along each axis. */
  head(x: V, size: V, axes: number): V {
    return this.#one('Slice', [...FLOAT, type('Index', CODES.int32)], x, this.ints(Array<number>(axes).fill(0)), size);
  }
  /** `size` of x from `begin` (int32 vectors). */
  slice(x: V, begin: V, size: V): V {
    return this.#one('Slice', [...FLOAT, type('Index', CODES.int32)], x, begin, size);
  }
  /** Along axis 0 into equal parts: no copy where the parts are aligned. */
  split(x: V, parts: number): V[] {
    return this.run('Split', [int('num_split', parts), ...FLOAT], [this.ints([0], []), x], parts);
  }
  /** Along axis 0 into parts of these lengths. */
  splitBy(x: V, lengths: number[]): V[] {
    const attributes = [int('num_split', lengths.length), ...FLOAT, type('Tlen', CODES.int32)];
    return this.run('SplitV', attributes, [x, this.ints(lengths), this.ints([0], [])], lengths.length);
  }
  /** Along any axis into `parts` of these sizes (int32 vector). */
  splitSizes(x: V, sizes: V, parts: number, axis: number): V[] {
    const attributes = [int('num_split', parts), ...FLOAT, type('Tlen', CODES.int32)];
    return this.run('SplitV', attributes, [x, sizes, this.ints([axis], [])], parts);
  }
  /** As splitSizes along axis 0, of int32. */
  splitInts(x: V, sizes: V, parts: number): V[] {
    const attributes = [int('num_split', parts), type('T', CODES.int32), type('Tlen', CODES.int32)];
    return this.run('SplitV', attributes, [x, sizes, this.ints([0], [])], parts);
  }
  /** x, computed with only when `done` is there. */
  after(x: V, _done: V): V {
    return x;
  }
  /** Zeros around x: `amounts` [axes, 2] (int32) before and after each axis. */
  pad(x: V, amounts: V): V {
    return this.#one('Pad', [...FLOAT, type('Tpaddings', CODES.int32)], x, amounts);
  }
  concat(values: V[], axis = 0): V {
    if (values.length === 1) return values[0]!;
    const attributes = [int('N', values.length), ...FLOAT, type('Tidx', CODES.int32)];
    return this.#one('ConcatV2', attributes, ...values, this.ints([axis], []));
  }
  /** Vectors of int32 as one. */
  concatInts(values: V[]): V {
    const attributes = [int('N', values.length), type('T', CODES.int32), type('Tidx', CODES.int32)];
    return this.#one('ConcatV2', attributes, ...values, this.ints([0], []));
  }
  /** Of a shape given as an int32 vector. */
  zeros(shape: V): V {
    return this.#one('Fill', [...FLOAT, type('index_type', CODES.int32)], shape, this.scalar(0));
  }
  /** Rows `ids` (int32) of x. */
  gather(x: V, ids: V): V {
    const attributes = [type('Tparams', CODES.float32), type('Tindices', CODES.int32), type('Taxis', CODES.int32)];
    return this.#one('GatherV2', attributes, x, ids, this.ints([0], []));
  }
  /** [ids, rows] float32: 1 where the id is the column, else 0. `rows`: an int32 scalar. */
  #oneHot(ids: V, rows: V): V {
    const attributes = [int('axis', -1), ...FLOAT, type('TI', CODES.int32)];
    return this.#one('OneHot', attributes, ids, rows, this.scalar(1), this.scalar(0));
  }
  /** [rows, d]: row i is the sum of those rows of x whose id (int32) is i. `rows`: an int32 scalar. */
  segmentSum(x: V, ids: V, rows: V): V {
    if (this.without.has('UnsortedSegmentSum')) return this.matmul(this.#oneHot(ids, rows), x, true);
    const attributes = [...FLOAT, type('Tindices', CODES.int32), type('Tnumsegments', CODES.int32)];
    return this.#one('UnsortedSegmentSum', attributes, x, ids, rows);
  }
  /** Loss of each row [rows] and its gradient [rows, classes], in one pass. */
  crossEntropy(logits: V, targets: V, classes: number): [loss: V, gradient: V] {
    if (this.without.has('SparseSoftmaxCrossEntropyWithLogits')) {
      const wanted = this.#oneHot(targets, this.ints([classes], []));
      const logSoftmax = this.#one('LogSoftmax', FLOAT, logits);
      const losses = this.sum(this.mul(wanted, this.mul(logSoftmax, this.scalar(-1))), 1);
      return [losses, this.sub(this.softmax(logits), wanted)];
    }
    const attributes = [...FLOAT, type('Tlabels', CODES.int32)];
    return this.run('SparseSoftmaxCrossEntropyWithLogits', attributes, [logits, targets], 2) as [V, V];
  }
  /** Pairs [rows, n, 2] read as complex numbers, times those of the table [1, n, 2]. */
  complexMul(x: V, table: V): V {
    if (this.without.has('ComplexMul')) {
      const pair = [int('axis', 2), ...FLOAT];
      const [a, b] = this.run('Unpack', [int('num', 2), ...pair], [x], 2) as [V, V];
      const [c, s] = this.run('Unpack', [int('num', 2), ...pair], [table], 2) as [V, V];
      const real = this.sub(this.mul(a, c), this.mul(b, s));
      const imaginary = this.add(this.mul(a, s), this.mul(b, c));
      return this.#one('Pack', [int('N', 2), ...pair], real, imaginary);
    }
    const toComplex = [...FLOAT, type('type', CODES.complex64)];
    const [a, b] = [this.#one('Bitcast', toComplex, x), this.#one('Bitcast', toComplex, table)];
    const product = this.#one('Mul', COMPLEX, a, b);
    const result = this.#one('Bitcast', [...COMPLEX, type('type', CODES.float32)], product);
    this.free(a, b, product);
    return result;
  }
}
