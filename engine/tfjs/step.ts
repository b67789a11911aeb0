/**
 * One optimizer step on the library: forward, backward, clipping and Adam over weights that stay inside it.
 *
 *   const step = new TrainStep(layout, schedule, { weights, first, second });
 *   const loss = step.run([batch], 0, 1e-3);      // summed over the predicted tokens
 *   const { weights } = step.read();
 *
 * Several batches make one step as well: their gradients are summed before Adam moves anything, so that a step may be
 * larger than what fits at once. What runs is recorded once as a graph and run as a whole. Where the library does not take one, or with
 * STARTRAIL_ENGINE_GRAPH=off, the same code runs op by op: slower, and the reference in the tests.
 */
import { DecoderConfig, TrainSchedule } from '../../schemas/checkpoint.ts';
import type { FrozenBlock } from './adapter.ts';
import { assemble, countOf } from './batches.ts';
import type { Batch } from './batches.ts';
import { EagerKernels } from './eager.ts';
import { learn } from './gradient.ts';
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
import type { PassInputs } from './pass-inputs.ts';
import { aimTensors, PASS_INTEGERS, PassTables, passTensors } from './pass-tensors.ts';
import { aimInputs, objectiveOf } from './objective.ts';
import type { Aim } from './objective.ts';
import { quietLoss } from './quiet.ts';
import { quietPass } from './quiet-pass.ts';
import type { QuietInputs } from './quiet-pass.ts';

/** The vectors outside the library, each [layout.size]. */
export interface StateArrays {
  weights: Float32Array;
  first: Float32Array;
  second: Float32Array;
}

type StepInputs<V> = TrainState<V> & PassInputs<V> & StepScalars<V> & { sum?: V; aim?: Record<string, V> };
const FLOATS = ['weights', 'first', 'second', 'rotations', 'mask', 'inverseTokens', 'stepSize', 'epsilon'] as const;
const INPUTS = [...PASS_INTEGERS, ...FLOATS];

/** What one run does: the last of a step's batches moves the weights, those before it only add up gradients. */
interface Part {
  /** Gradients of earlier batches come in (inputs.sum). */
  continues: boolean;
  moves: boolean;
  /** Of the logits; see PassInputs. */
  pieces: number;
  /** What is learnt, where that is not the likelihood of tokens. */
  aim?: Aim;
}

/** [weights, first, second, loss], or [sum of gradients, loss]. `frozen`: by name, where only an adapter learns. */
function program<V>(
  k: Kernels<V>,
  layout: Layout,
  schedule: TrainSchedule,
  inputs: StepInputs<V>,
  frozen: ReadonlyMap<string, V>,
  { continues, moves, pieces, aim }: Part,
): V[] {
  const { adapter } = layout;
  const learner =
    adapter === undefined
      ? new FullLearner(k, layout, inputs.weights, aim?.kind === 'reward-model')
      : new AdapterLearner(k, { ...layout, adapter }, inputs.weights, frozen);
  const lossOf = (): V => {
    if (aim?.kind !== 'quiet') {
      const objective = aim === undefined || inputs.aim === undefined ? undefined : objectiveOf(k, aim, inputs.aim);
      return learn(k, layout.config, learner, inputs, pieces, objective);
    }
    const quiet = inputs.aim as unknown as QuietInputs<V>;
    const pass = quietPass(k, layout.config, learner, { ...inputs, quiet });
    const { loss, weights } = quietLoss(k, pass.costs, quiet, aim);
    pass.back(weights);
    return loss;
  };
  const loss = lossOf();
  const own = learner.gradient();
  const gradient = continues ? k.add(inputs.sum!, own) : own;
  if (!moves) return [gradient, loss];
  const { weights, first, second } = adamStep(k, schedule, inputs, gradient, inputs);
  return [weights, first, second, loss];
}

/** How a step runs. The two differ in the last bits: this belongs into an engine's fingerprint. */
export type StepMode = 'graph' | 'eager';

function loadGraph(layout: Layout, schedule: TrainSchedule, frozen: readonly string[], part: Part): LoadedGraph {
  const k = new GraphKernels();
  const floats = part.continues ? [...FLOATS, 'sum'] : FLOATS;
  const nodes = [
    ...PASS_INTEGERS.map((name) => [name, k.input(CODES.int32)]),
    ...floats.map((name) => [name, k.input(CODES.float32)]),
  ];
  const frozenNodes = new Map(frozen.map((name) => [name, k.input(CODES.float32)]));
  const inputs = Object.fromEntries(nodes) as StepInputs<string>;
  if (part.aim !== undefined)
    inputs.aim = Object.fromEntries(aimInputs(part.aim).map(([name, type]) => [name, k.input(type)]));
  return k.load(program(k, layout, schedule, inputs, frozenNodes, part));
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
      step.run([batch], 0, 0.1);
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
  readonly #graphs = new Map<string, LoadedGraph>();
  readonly #tables: PassTables;
  readonly #frozen: ReadonlyMap<string, Tensor>;
  #state: TrainState<Tensor>;

  /**
   * @param frozen what an adapter's layout rests on (`frozenBlocks`); none where all weights learn.
   * @param aim what is learnt of batches that say what it reads; absent: the likelihood of their tokens.
   */
  constructor(
    readonly layout: Layout,
    readonly schedule: TrainSchedule,
    initial: StateArrays,
    frozen: readonly FrozenBlock[] = [],
    readonly mode: StepMode = stepMode(),
    readonly aim?: Aim,
  ) {
    this.#tables = new PassTables(layout.config);
    this.#frozen = new Map(frozen.map(({ name, shape, data }) => [name, tf.keep(tf.tensor(data, shape))]));
    this.#state = {
      weights: tf.keep(tf.tensor1d(initial.weights)),
      first: tf.keep(tf.tensor1d(initial.first)),
      second: tf.keep(tf.tensor1d(initial.second)),
    };
  }

  /** Trains on the batches as if they were one; gives the loss summed over what they count (`countOf`). */
  run(batches: readonly Batch[], step: number, learningRate: number): number {
    const count = batches.reduce((sum, batch) => sum + countOf(batch), 0);
    const numbers = stepScalars(this.schedule, step, learningRate, Math.max(1, count));
    let sum: Tensor | undefined;
    let loss = 0;
    for (const [n, batch] of batches.entries()) {
      const moves = n === batches.length - 1;
      const made = tf.tidy(() => {
        const outputs = this.#outputs(batch, numbers, sum, moves);
        loss += outputs.pop()!.dataSync()[0]!;
        return outputs.map((tensor) => tf.keep(tensor));
      });
      sum?.dispose();
      if (!moves) [sum] = made;
      else {
        for (const old of Object.values(this.#state) as Tensor[]) old.dispose();
        const [weights, first, second] = made as [Tensor, Tensor, Tensor];
        this.#state = { weights, first, second };
      }
    }
    return loss;
  }

  /** What `program` gives for one batch. */
  #outputs(batch: Batch, numbers: StepScalars<number>, sum: Tensor | undefined, moves: boolean): Tensor[] {
    const { inputs: read, pieces } = passTensors(this.layout.config, batch);
    const inputs: StepInputs<Tensor> = {
      ...this.#state,
      ...(sum !== undefined && { sum }),
      ...this.#tables.of(batch),
      ...read,
      inverseTokens: tf.scalar(numbers.inverseTokens),
      stepSize: tf.scalar(numbers.stepSize),
      epsilon: tf.scalar(numbers.epsilon),
    };
    const { aim } = this;
    const ofAim = aim && aimTensors(batch, aimInputs(aim));
    if (ofAim !== undefined) inputs.aim = ofAim;
    const part: Part = {
      continues: sum !== undefined,
      moves,
      pieces,
      ...(aim !== undefined && { aim }),
    };
    if (this.mode === 'eager') return program(this.#kernels, this.layout, this.schedule, inputs, this.#frozen, part);
    const fed = [...INPUTS.map((name) => inputs[name]), ...(sum === undefined ? [] : [sum]), ...this.#frozen.values()];
    return this.#graph(part).run([...fed, ...Object.values(ofAim ?? {})]);
  }

  #graph(part: Part): LoadedGraph {
    const key = JSON.stringify(part);
    const graph = this.#graphs.get(key) ?? loadGraph(this.layout, this.schedule, [...this.#frozen.keys()], part);
    this.#graphs.set(key, graph);
    return graph;
  }

  /** As they are now: theirs who only read them, until the next step. */
  get weights(): Tensor {
    return this.#state.weights;
  }

  /** Copies of the vectors as they are now. */
  read(): StateArrays {
    const copy = (tensor: Tensor) => Float32Array.from(tensor.dataSync());
    return { weights: copy(this.#state.weights), first: copy(this.#state.first), second: copy(this.#state.second) };
  }

  dispose(): void {
    const { weights, first, second } = this.#state;
    for (const tensor of [weights, first, second, ...this.#frozen.values()]) tensor.dispose();
    this.#tables.dispose();
    this.#kernels.dispose();
    for (const graph of this.#graphs.values()) graph.dispose();
    this.#graphs.clear();
  }
}
