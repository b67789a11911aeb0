/**
 * One optimizer step on the library: forward, backward, clipping and Adam over weights that stay inside it.
 *
 *   const step = new TrainStep(layout, schedule, { weights, first, second });
 *   const loss = step.run(batch, 0, 1e-3);      // summed over the batch's predicted tokens
 *   const { weights } = step.read();
 */
import type { TrainSchedule } from '../../schemas/checkpoint.ts';
import type { Batch } from './batches.ts';
import { lossAndGradient, makeTables } from './gradient.ts';
import type { Tables } from './gradient.ts';
import { EagerKernels } from './kernels.ts';
import type { Layout } from './layout.ts';
import { tf } from './native.ts';
import type { Tensor } from './native.ts';
import { adamStep, stepScalars } from './optimizer.ts';
import type { TrainState } from './optimizer.ts';

/** The vectors outside the library, each [layout.size]. */
export interface StateArrays {
  weights: Float32Array;
  first: Float32Array;
  second: Float32Array;
}

export class TrainStep {
  readonly #kernels = new EagerKernels();
  readonly #tables = new Map<number, Tables<Tensor>>();
  #state: TrainState<Tensor>;

  constructor(
    readonly layout: Layout,
    readonly schedule: TrainSchedule,
    initial: StateArrays,
  ) {
    this.#state = {
      weights: tf.keep(tf.tensor1d(initial.weights)),
      first: tf.keep(tf.tensor1d(initial.first)),
      second: tf.keep(tf.tensor1d(initial.second)),
    };
  }

  /** Trains on one batch; gives the loss summed over its predicted tokens. */
  run(batch: Batch, step: number, learningRate: number): number {
    const k = this.#kernels;
    const { time } = batch;
    let tables = this.#tables.get(time);
    if (tables === undefined) this.#tables.set(time, (tables = makeTables(k, this.layout.config, time)));
    const before = this.#state;
    let loss = 0;
    this.#state = tf.tidy(() => {
      const inputs = {
        ids: tf.tensor1d(batch.ids, 'int32'),
        positions: tf.tensor1d(batch.positions, 'int32'),
        targets: tf.tensor1d(batch.targets, 'int32'),
      };
      const result = lossAndGradient(k, this.layout, before.weights, batch, inputs, tables);
      const numbers = stepScalars(this.schedule, step, learningRate, Math.max(1, batch.targets.length));
      const scalars = {
        inverseTokens: tf.scalar(numbers.inverseTokens),
        stepSize: tf.scalar(numbers.stepSize),
        epsilon: tf.scalar(numbers.epsilon),
      };
      const after = adamStep(k, this.schedule, before, result.gradient, scalars);
      loss = result.loss.dataSync()[0]!;
      return { weights: tf.keep(after.weights), first: tf.keep(after.first), second: tf.keep(after.second) };
    });
    for (const old of [before.weights, before.first, before.second]) old.dispose();
    return loss;
  }

  /** Copies of the vectors as they are now. */
  read(): StateArrays {
    const copy = (tensor: Tensor) => Float32Array.from(tensor.dataSync());
    return { weights: copy(this.#state.weights), first: copy(this.#state.first), second: copy(this.#state.second) };
  }

  dispose(): void {
    for (const tensor of [this.#state.weights, this.#state.first, this.#state.second]) tensor.dispose();
    this.#kernels.dispose();
  }
}
