/**
 * One optimizer step on the library: forward, backward, clipping and Adam over weights that stay inside it.
 *
 *   const step = new TrainStep(layout, schedule, { weights, first, second });
 *   const loss = step.run(batch, 0, 1e-3);      // summed over the batch's predicted tokens
 *   const { weights } = step.read();
 *
 * The step is recorded once as a graph and run as a whole. Where the library does not take one, or with
 * STARTRAIL_ENGINE_GRAPH=off, the same code runs op by op: slower, and the reference in the tests.
 */
import { DecoderConfig, TrainSchedule } from '../../schemas/checkpoint.ts';
import type { FrozenBlock } from './adapter.ts';
import { assemble } from './batches.ts';
import type { Batch } from './batches.ts';
import { EagerKernels } from './eager.ts';
import { learn, makeTables, passShapes } from './gradient.ts';
import type { PassInputs } from './gradient.ts';
import { GraphKernels } from './graph.ts';
import type { LoadedGraph } from './graph.ts';
import { CODES } from './kernels.ts';
import type { Kernels } from './kernels.ts';
import { parameterLayout } from './layout.ts';
import type { Layout } from './layout.ts';
import { AdapterLearner, FullLearner } from './learner.ts';
import { graphsWanted, tf } from './native.ts';
import type { Tensor } from './native.ts';
import { adamStep, stepScalars } from './optimizer.ts';
import type { StepScalars, TrainState } from './optimizer.ts';

/** The vectors outside the library, each [layout.size]. */
export interface StateArrays {
  weights: Float32Array;
  first: Float32Array;
  second: Float32Array;
}

type StepInputs<V> = TrainState<V> & PassInputs<V> & StepScalars<V>;
const INTEGERS = [
  'ids',
  'positions',
  'targets',
  'tokens',
  'headsShape',
  'pairsShape',
  'rotationShape',
  'maskShape',
] as const;
const FLOATS = ['weights', 'first', 'second', 'rotations', 'mask', 'inverseTokens', 'stepSize', 'epsilon'] as const;
const INPUTS = [...INTEGERS, ...FLOATS];

/** The whole step: [weights, first, second, loss]. `frozen`: by name, where only an adapter learns. */
function program<V>(
  k: Kernels<V>,
  layout: Layout,
  schedule: TrainSchedule,
  inputs: StepInputs<V>,
  frozen: ReadonlyMap<string, V>,
): V[] {
  const { adapter } = layout;
  const learner =
    adapter === undefined
      ? new FullLearner(k, layout, inputs.weights)
      : new AdapterLearner(k, { ...layout, adapter }, inputs.weights, frozen);
  const loss = learn(k, layout.config, learner, inputs);
  const { weights, first, second } = adamStep(k, schedule, inputs, learner.gradient(), inputs);
  return [weights, first, second, loss];
}

/** How a step runs. The two differ in the last bits: this belongs into an engine's fingerprint. */
export type StepMode = 'graph' | 'eager';

function loadGraph(layout: Layout, schedule: TrainSchedule, frozen: readonly string[]): LoadedGraph {
  const k = new GraphKernels();
  const nodes = [
    ...INTEGERS.map((name) => [name, k.input(CODES.int32)]),
    ...FLOATS.map((name) => [name, k.input(CODES.float32)]),
  ];
  const frozenNodes = new Map(frozen.map((name) => [name, k.input(CODES.float32)]));
  return k.load(program(k, layout, schedule, Object.fromEntries(nodes) as StepInputs<string>, frozenNodes));
}

let found: StepMode | undefined;
/**
 * `graph` where the library takes a graph and it gives what the ops give one by one; tried on a tiny model, once a process.
 * STARTRAIL_ENGINE_GRAPH=off asks for `eager`.
 */
export function stepMode(): StepMode {
  return (found ??= graphsWanted && graphWorks() ? 'graph' : 'eager');
}

function graphWorks(): boolean {
  const size = { vocabSize: 4, dModel: 8, layers: 1, heads: 1, dFF: 8, context: 8 };
  const layout = parameterLayout(DecoderConfig.parse({ ...size, activation: 'relu' }));
  const rates = { steps: 1, learningRate: 0.1, warmupSteps: 0, clipNorm: 1, batchSize: 1 };
  const schedule = TrainSchedule.parse({ ...rates, decay: 'constant' });
  const values = (scale: number) => Float32Array.from({ length: layout.size }, (_, i) => (((i * 7) % 11) - 5) * scale);
  const batch = assemble([{ tokens: Int32Array.of(0, 1, 2, 3), promptLength: 1 }], 0);
  const firstMoment = (mode: StepMode): Float32Array | null => {
    let step: TrainStep | null = null;
    try {
      step = new TrainStep(layout, schedule, { weights: values(0.1), first: values(0), second: values(0) }, [], mode);
      step.run(batch, 0, 0.1);
      return step.read().first;
    } catch {
      return null;
    } finally {
      step?.dispose();
    }
  };
  const [graph, eager] = [firstMoment('graph'), firstMoment('eager')];
  return graph !== null && eager !== null && graph.every((moment, i) => Math.abs(moment - eager[i]!) < 1e-5);
}

/** Weights and moments inside the library, and the step that moves them. */
export class TrainStep {
  readonly #kernels = new EagerKernels();
  readonly #graph: LoadedGraph | null;
  readonly #tables: Pick<PassInputs<Tensor>, 'rotations' | 'mask'>;
  readonly #frozen: ReadonlyMap<string, Tensor>;
  #state: TrainState<Tensor>;

  /** @param frozen what an adapter's layout rests on (`frozenBlocks`); none where all weights learn. */
  constructor(
    readonly layout: Layout,
    readonly schedule: TrainSchedule,
    initial: StateArrays,
    frozen: readonly FrozenBlock[] = [],
    readonly mode: StepMode = stepMode(),
  ) {
    const names = frozen.map(({ name }) => name);
    this.#graph = mode === 'graph' ? loadGraph(layout, schedule, names) : null;
    this.#frozen = new Map(frozen.map(({ name, shape, data }) => [name, tf.keep(tf.tensor(data, shape))]));
    const { rotations, mask } = makeTables(layout.config);
    this.#tables = {
      rotations: tf.keep(tf.tensor(rotations.values, rotations.shape)),
      mask: tf.keep(tf.tensor(mask.values, mask.shape)),
    };
    this.#state = {
      weights: tf.keep(tf.tensor1d(initial.weights)),
      first: tf.keep(tf.tensor1d(initial.first)),
      second: tf.keep(tf.tensor1d(initial.second)),
    };
  }

  /** Trains on one batch; gives the loss summed over its predicted tokens. */
  run(batch: Batch, step: number, learningRate: number): number {
    const before = this.#state;
    let loss = 0;
    this.#state = tf.tidy(() => {
      const shapes = passShapes(this.layout.config, batch);
      const numbers = stepScalars(this.schedule, step, learningRate, Math.max(1, batch.targets.length));
      const inputs: StepInputs<Tensor> = {
        ...before,
        ...this.#tables,
        ids: tf.tensor1d(batch.ids, 'int32'),
        positions: tf.tensor1d(batch.positions, 'int32'),
        targets: tf.tensor1d(batch.targets, 'int32'),
        tokens: tf.scalar(shapes.tokens, 'int32'),
        headsShape: tf.tensor1d(shapes.headsShape, 'int32'),
        pairsShape: tf.tensor1d(shapes.pairsShape, 'int32'),
        rotationShape: tf.tensor1d(shapes.rotationShape, 'int32'),
        maskShape: tf.tensor1d(shapes.maskShape, 'int32'),
        inverseTokens: tf.scalar(numbers.inverseTokens),
        stepSize: tf.scalar(numbers.stepSize),
        epsilon: tf.scalar(numbers.epsilon),
      };
      const outputs =
        this.#graph?.run([...INPUTS.map((name) => inputs[name]), ...this.#frozen.values()]) ??
        program(this.#kernels, this.layout, this.schedule, inputs, this.#frozen);
      const [weights, first, second, lossTensor] = outputs as [Tensor, Tensor, Tensor, Tensor];
      loss = lossTensor.dataSync()[0]!;
      return { weights: tf.keep(weights), first: tf.keep(first), second: tf.keep(second) };
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
    const { weights, first, second } = this.#state;
    const kept = [weights, first, second, ...Object.values(this.#tables), ...this.#frozen.values()];
    for (const tensor of kept) tensor.dispose();
    this.#kernels.dispose();
    this.#graph?.dispose();
  }
}
