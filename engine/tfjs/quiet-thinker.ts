/**
 * Makes the thoughts of a batch: all positions in parallel, one token of every thought a pass.
 *
 *   const thinker = new Thinker(config);
 *   thinker.think(batch, weights, (logits, thought, token) => pick(logits, sampling, uniform(seed, thought, token)));
 *
 * Pass s reads the texts and the first s + 1 tokens of every stream, the beginning of each row (quiet-streams.ts). Logits are those
 * of the vocabulary: a start or end of a thought can't be sampled. Nothing is cached between passes: of t tokens the texts are read t times,
 * which at the sizes this is for costs less than the step that follows.
 */
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import { EagerKernels } from './eager.ts';
import { GraphKernels } from './graph.ts';
import type { LoadedGraph } from './graph.ts';
import { CODES } from './kernels.ts';
import type { Kernels } from './kernels.ts';
import { throughLayers } from './layers.ts';
import { parameterLayout } from './layout.ts';
import type { Layout } from './layout.ts';
import { FullLearner } from './learner.ts';
import { tf } from './native.ts';
import type { Tensor } from './native.ts';
import type { PassInputs } from './pass-inputs.ts';
import { aimTensors, PASS_INTEGERS, PassTables, passTensors } from './pass-tensors.ts';
import { QUIET_INPUTS } from './quiet.ts';
import type { ThinkingBatch } from './quiet.ts';
import { quietPass, thoughtEmbedding } from './quiet-pass.ts';
import type { QuietInputs } from './quiet-pass.ts';
import { indexOf, lengthOf, thoughtsOf } from './quiet-streams.ts';
import { stepMode } from './step.ts';
import type { StepMode } from './step.ts';

const FLOATS = ['weights', 'rotations', 'mask'] as const;
type Inputs<V> = PassInputs<V> & { weights: V; quiet: QuietInputs<V> };
/** `next`: logits [M, V] of the rows as they are; `costs`: −log p [M], mixed behind thoughts. */
type What = 'next' | 'costs';
const READ = { next: [], costs: QUIET_INPUTS } as const;

function program<V>(k: Kernels<V>, layout: Layout, inputs: Inputs<V>, what: What): V {
  const { config } = layout;
  const learner = new FullLearner(k, layout, inputs.weights);
  if (what === 'costs') return quietPass(k, config, learner, inputs).costs;
  const { value } = throughLayers(k, config, learner, inputs, thoughtEmbedding(k, config, learner, inputs).value);
  return learner.logits(value);
}

/** The token of a thought, of its logits [V]; `thought`: its number in the batch. */
export type Choice = (logits: Float32Array, thought: number, token: number) => number;

export class Thinker {
  readonly #layout: Layout;
  readonly #kernels = new EagerKernels();
  readonly #tables: PassTables;
  readonly #graphs = new Map<What, LoadedGraph>();

  /** @param config of a model with thoughts (`quiet`). */
  constructor(
    readonly config: DecoderConfig,
    readonly mode: StepMode = stepMode(),
  ) {
    this.#layout = parameterLayout(config);
    this.#tables = new PassTables(config);
  }

  /** Fills the batch's open thoughts in, one token after another; `weights` [layout.size]. A model that pauses has none. */
  think(batch: ThinkingBatch, weights: Tensor, choose: Choice): void {
    if (this.config.quiet!.pause) return;
    const { thinking, asked, ids, time } = batch;
    const perRow = thoughtsOf(thinking);
    const { tokens } = this.config.quiet!;
    for (let step = 0; step < tokens; step++) {
      const streams = { ...thinking, steps: step + 1 };
      const length = lengthOf(streams);
      const at = (thought: number, of: number, token: number) =>
        Math.floor(thought / perRow) * of + indexOf(thinking, thought % perRow, token);
      const read = new Int32Array(batch.batch * length);
      for (let row = 0; row < batch.batch; row++) read.set(ids.subarray(row * time, row * time + length), row * length);
      const positions = Int32Array.from(asked, (thought) => at(thought, length, step));
      const targets = new Int32Array(positions.length);
      const logits = this.#run(
        'next',
        { batch: batch.batch, time: length, ids: read, positions, targets, thinking: streams },
        weights,
      );
      const vocabulary = this.config.vocabSize;
      for (const [n, thought] of asked.entries()) {
        const own = logits.subarray(n * vocabulary, (n + 1) * vocabulary);
        this.put(batch, n, step, choose(own, thought, step));
      }
    }
  }

  /** Sets a token of the n-th thought that was asked for. */
  put(batch: ThinkingBatch, n: number, step: number, token: number): void {
    const perRow = thoughtsOf(batch.thinking);
    const thought = batch.asked[n]!;
    const row = Math.floor(thought / perRow);
    batch.ids[row * batch.time + indexOf(batch.thinking, thought % perRow, step + 1)] = token;
    batch.targets[batch.firstTarget + n * this.config.quiet!.tokens + step] = token;
  }

  /** −log p [M] of the batch's rows: of the texts as they are, of thoughts, and behind thoughts. */
  costs(batch: ThinkingBatch, weights: Tensor): Float32Array {
    return this.#run('costs', batch, weights);
  }

  #run(what: What, batch: Omit<ThinkingBatch, 'tokens' | 'asked' | 'firstTarget'>, weights: Tensor): Float32Array {
    return tf.tidy(() => {
      const { inputs } = passTensors(this.config, batch);
      const ofQuiet = aimTensors(batch, READ[what]);
      const quiet = ofQuiet as unknown as QuietInputs<Tensor>;
      const all: Inputs<Tensor> = { ...inputs, ...this.#tables.of(batch), weights, quiet };
      const made =
        this.mode === 'eager'
          ? program(this.#kernels, this.#layout, all, what)
          : this.#graph(what).run([
              ...[...PASS_INTEGERS, ...FLOATS].map((name) => all[name]),
              ...Object.values(ofQuiet),
            ])[0]!;
      return made.dataSync() as Float32Array;
    });
  }

  #graph(what: What): LoadedGraph {
    const known = this.#graphs.get(what);
    if (known !== undefined) return known;
    const k = new GraphKernels();
    const nodes = [
      ...PASS_INTEGERS.map((name) => [name, k.input(CODES.int32)]),
      ...FLOATS.map((name) => [name, k.input(CODES.float32)]),
    ];
    const quiet = Object.fromEntries(READ[what].map(([name, type]) => [name, k.input(type)]));
    const inputs = { ...Object.fromEntries(nodes), quiet } as unknown as Inputs<string>;
    const graph = k.load([program(k, this.#layout, inputs, what)]);
    this.#graphs.set(what, graph);
    return graph;
  }

  dispose(): void {
    this.#kernels.dispose();
    this.#tables.dispose();
    for (const graph of this.#graphs.values()) graph.dispose();
    this.#graphs.clear();
  }
}
