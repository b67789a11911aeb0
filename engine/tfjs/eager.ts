/**
 * Kernels run one by one: the reference that the graph is tested against, and its fall-back.
 */
import { Kernels, SPECIAL } from './kernels.ts';
import type { Attribute, Special } from './kernels.ts';
import { kernels, tf } from './native.ts';
import type { Tensor } from './native.ts';

/** Runs each op at once. Constants are kept until `dispose`; other results until `free` or the end of a tf.tidy. */
export class EagerKernels extends Kernels<Tensor> {
  readonly #constants = new Map<string, Tensor>();

  constructor(without: ReadonlySet<Special> = unsupported()) {
    super(without);
  }

  run(op: string, attributes: Attribute[], inputs: Tensor[], outputs: number): Tensor[] {
    return kernels(op, attributes, inputs, outputs);
  }
  #constant(key: string, make: () => Tensor): Tensor {
    const constant = this.#constants.get(key) ?? tf.keep(make());
    this.#constants.set(key, constant);
    return constant;
  }
  ints(values: readonly number[], shape: number[] = [values.length]): Tensor {
    return this.#constant(`${shape.length}:${values.join()}`, () => tf.tensor(Int32Array.from(values), shape, 'int32'));
  }
  scalar(value: number): Tensor {
    return this.#constant(`scalar ${value}`, () => tf.scalar(value));
  }
  free(...values: Tensor[]): void {
    for (const value of values) value.dispose();
  }
  dispose(): void {
    for (const constant of this.#constants.values()) constant.dispose();
    this.#constants.clear();
  }
}

/** One small call of each special kernel. */
const TRIALS: Record<Special, (k: EagerKernels, x: Tensor, ids: Tensor) => Tensor[]> = {
  _MklSoftmax: (k, x) => [k.softmax(x)],
  AddN: (k, x) => [k.addN(x, x, x)],
  EuclideanNorm: (k, x) => [k.euclideanNorm(x, 1)],
  L2Loss: (k, x) => [k.l2Loss(k.reshape(x, [-1]))],
  ComplexMul: (k, x) => [k.complexMul(k.reshape(x, [2, 2, 2]), k.reshape(k.gather(x, k.ints([1])), [1, 2, 2]))],
  UnsortedSegmentSum: (k, x, ids) => [k.segmentSum(x, ids, k.ints([3], []))],
  SparseSoftmaxCrossEntropyWithLogits: (k, x, ids) => k.crossEntropy(x, ids, 4),
};

let found: ReadonlySet<Special> | undefined;
/** Special kernels that this library lacks, or that give something else than the other way; tried once a process. */
export function unsupported(): ReadonlySet<Special> {
  return (found ??= new Set(SPECIAL.filter((name) => !works(name))));
}

function works(name: Special): boolean {
  return tf.tidy(() => {
    const x = tf.tensor2d([0.5, -1, 2, 0.25, 3, 1, -0.5, 0.125], [2, 4]);
    const ids = tf.tensor1d([2, 0], 'int32');
    const [own, other] = [new EagerKernels(new Set()), new EagerKernels(new Set(SPECIAL))];
    try {
      const expected = TRIALS[name](other, x, ids);
      return TRIALS[name](own, x, ids).every((tensor, i) => {
        const [a, b] = [tensor.dataSync(), expected[i]!.dataSync()];
        return a.length === b.length && a.every((value, at) => Math.abs(value - b[at]!) < 1e-5);
      });
    } catch {
      return false;
    } finally {
      own.dispose();
      other.dispose();
    }
  });
}
