/**
 * Quiet-STaR's objective: to predict text well as it is, to predict it well behind thoughts, and to think what helps.
 *
 *   const aim = { kind: 'quiet', tokens: 4, ahead: 2, passes: 2, policy: 1 };
 *   const batch = assembleThinking(rows, pad, vocabSize, aim);      // thoughts open
 *   thinker.think(batch, …);                                        // quiet-thinker.ts: sampled
 *   step.run([batch], 0, 1e-3);
 *
 * With c the costs −log p: the loss of a text is ½·Σ c(as it is) + ½·Σ c(behind)/ahead + policy·Σ A·c(its thoughts' tokens)/tokens, of each of
 * `passes` thoughts a position; a step is the mean over predicted tokens and passes. A thought's reward is −Σ c of the `ahead` tokens that follow it, its
 * advantage A = max(0, reward − the mean over the thoughts of the same position), held fixed (REINFORCE, Williams 1992). Source:
 * Zelikman et al., arXiv:2403.09629 §4.4, and the released code for the halves and the positive part.
 */
import { EngineError } from '../engine.ts';
import type { TrainRequest } from '../engine.ts';
import { assemble } from './batches.ts';
import type { Batch, TokenRow } from './batches.ts';
import { CODES } from './kernels.ts';
import type { Kernels } from './kernels.ts';
import { initialTensors } from './layout.ts';
import { pick } from './pick.ts';
import { openForm } from './prompt-form.ts';
import { uniform } from './rng.ts';
import type { Checkpoint } from './safetensors.ts';
import type { QuietInputs } from './quiet-pass.ts';
import { indexOf, lengthOf, thoughtsOf } from './quiet-streams.ts';

export interface QuietAim {
  kind: 'quiet';
  /** Of a thought, without its start and end. */
  tokens: number;
  /** No thought is sampled: its start stands in the place of each token. */
  pause?: true;
  /** Tokens behind a thought that it is judged by, the true ones before them given. */
  ahead: number;
  /** Thoughts at each position. */
  passes: number;
  /** Weight of what thoughts learn. */
  policy: number;
}

const NAMES = ['sizes', 'texts', 'partner', 'behind', 'within', 'thoughts', 'passesShape'] as const;
/** Names and element types, as `aimInputs` (objective.ts) gives them. */
export const QUIET_INPUTS = NAMES.map((name): [name: keyof QuietInputs<unknown>, type: number] => [name, CODES.int32]);

/** A batch whose thoughts are still to be made. */
export interface ThinkingBatch extends Batch {
  thinking: NonNullable<Batch['thinking']>;
  /** The thoughts that something is predicted behind: their number in the batch. */
  asked: Int32Array;
  /** Rows of thoughts begin there in `targets`: those of one thought follow one another. */
  firstTarget: number;
}

export const isThinking = (batch: Batch): batch is ThinkingBatch => batch.thinking !== undefined;

/** As `assemble`, each row `passes` times, with a stream behind each position from the first that predicts something. */
export function assembleThinking(
  rows: readonly TokenRow[],
  pad: number,
  vocabSize: number,
  { tokens: length, pause, ahead, passes }: QuietAim,
): ThinkingBatch {
  const [start, end] = [vocabSize, vocabSize + 1];
  const copies = rows.flatMap((row) => Array<TokenRow>(passes).fill(row));
  const text = assemble(copies, pad);
  const { time } = text;
  const from = Math.min(...rows.map(({ promptLength }) => Math.max(1, promptLength))) - 1;
  const thinking = { time, from, steps: length + 1 + ahead };
  const [perRow, rowLength] = [thoughtsOf(thinking), lengthOf(thinking)];
  const ids = new Int32Array(copies.length * rowLength).fill(pad);
  const positions = Array.from(text.positions, (at) => Math.floor(at / time) * rowLength + (at % time));
  /** The row of the text that predicts what follows a position; none where nothing is learnt there. */
  const rowAt = new Map(positions.map((position, row) => [position, row]));
  const behind = { positions: [] as number[], partner: [] as number[], thought: [] as number[] };
  const within = { positions: [] as number[], thought: [] as number[] };
  const asked: number[] = [];
  for (const [copy, { tokens }] of copies.entries()) {
    const base = copy * rowLength;
    ids.set(text.ids.subarray(copy * time, (copy + 1) * time), base);
    for (let k = 0; k < perRow; k++) {
      const at = (step: number) => base + indexOf(thinking, k, step);
      const position = from + k;
      const thought = copy * perRow + k;
      ids[at(0)] = start;
      if (pause) for (let step = 1; step <= length; step++) ids[at(step)] = start;
      ids[at(length + 1)] = end;
      let judged = false;
      for (let n = 0; n < ahead; n++) {
        if (n > 0) ids[at(length + 1 + n)] = tokens[position + n] ?? pad;
        const partner = rowAt.get(base + position + n);
        if (partner === undefined) continue;
        judged = true;
        behind.positions.push(at(length + 1 + n));
        behind.partner.push(partner);
        behind.thought.push(thought);
      }
      if (!judged) continue;
      asked.push(thought);
      if (pause) continue;
      for (let step = 0; step < length; step++) {
        within.positions.push(at(step));
        within.thought.push(thought);
      }
    }
  }
  const vector = (values: number[]) => ({ values: Int32Array.from(values), shape: [values.length] });
  const scalar = (value: number) => ({ values: Int32Array.of(value), shape: [] });
  const [texts, thoughts] = [positions.length, within.positions.length];
  const targetsBehind = behind.partner.map((row) => text.targets[row]!);
  return {
    batch: copies.length,
    time: rowLength,
    ids,
    positions: Int32Array.from([...positions, ...within.positions, ...behind.positions]),
    targets: Int32Array.from([...text.targets, ...Array<number>(thoughts).fill(pad), ...targetsBehind]),
    tokens: text.tokens + asked.length * thinking.steps,
    thinking,
    asked: Int32Array.from(asked),
    firstTarget: texts,
    aim: {
      count: texts,
      inputs: {
        sizes: vector([texts, thoughts, behind.positions.length]),
        texts: scalar(texts),
        partner: vector(behind.partner),
        behind: vector(behind.thought),
        within: vector(within.thought),
        thoughts: scalar(copies.length * perRow),
        passesShape: vector([-1, passes, perRow]),
      },
    },
  };
}

/** The loss, summed over the batch's texts and passes, and its derivative by each of the costs [M]. */
export function quietLoss<V>(
  k: Kernels<V>,
  costs: V,
  { sizes, behind, within, thoughts, passesShape }: QuietInputs<V>,
  { tokens, ahead, policy }: QuietAim,
): { loss: V; weights: V } {
  const [text, , talk] = k.splitSizes(k.reshape(costs, [-1, 1]), sizes, 3, 0) as [V, V, V];
  const ofThoughts = k.reshape(k.segmentSum(talk, behind, thoughts), { vector: passesShape });
  // The less it costs against the mean of its position, the better the thought was.
  const better = k.relu(k.sub(k.mean(ofThoughts, 1, true), ofThoughts));
  const advantage = k.gather(k.reshape(better, [-1, 1]), within);
  const same = (x: V, weight: number) => k.add(k.mul(x, k.scalar(0)), k.scalar(weight));
  const weights = k.concat([same(text, 0.5), k.mul(advantage, k.scalar(policy / tokens)), same(talk, 0.5 / ahead)]);
  const loss = k.sum(k.reshape(k.mul(weights, k.reshape(costs, [-1, 1])), [-1]), 0);
  return { loss, weights };
}

/** Counter that keeps thoughts apart from every other use of the same seed. */
const THOUGHTS = 6;

/** Draws a thought's token in training, at temperature 1: a pure function of seed, step, batch and place. */
export const drawn =
  (seed: string, step: number, batch: number) =>
  (logits: Float32Array, thought: number, token: number): number =>
    pick(logits, { temperature: 1, topP: 1 }, uniform(seed, THOUGHTS, step, batch, thought, token));

/**
 * The model with thoughts: as it was, where it had none, for its mixing head gives them no weight.
 * @throws EngineError CheckpointInvalid where it has others, or the marker is no single token.
 */
export function withThoughts(
  model: Checkpoint,
  { tokens, pause, marker }: NonNullable<TrainRequest['quiet']>,
  seed: string,
): Checkpoint {
  const quiet = { tokens, ...(pause && { pause }) };
  const { config } = model;
  if (config.quiet) {
    if (config.quiet.tokens === tokens && config.quiet.pause === pause) return model;
    const has = `${config.quiet.tokens} tokens${config.quiet.pause ? ' of pause' : ''}`;
    throw new EngineError(
      'CheckpointInvalid',
      `the model has thoughts of ${has}; ask for the same, or start from $base`,
    );
  }
  const thinking = { ...config, quiet };
  const made = [...initialTensors(thinking, seed)].filter(([name]) => name.startsWith('quiet.'));
  if (marker !== undefined) {
    const ids = openForm(model.tokenizer).encode(marker);
    if (ids.length !== 1)
      throw new EngineError('CheckpointInvalid', `the marker "${marker}" has ${ids.length} tokens; give a text of one`);
    const [from, d] = [ids[0]! * config.dModel, config.dModel];
    const embedding = model.tensors.get('model.embed_tokens.weight')!.data.subarray(from, from + d);
    for (const [name, { data }] of made) if (/start|end/.test(name)) data.set(embedding);
  }
  return { ...model, config: thinking, tensors: new Map([...model.tensors, ...made]) };
}
