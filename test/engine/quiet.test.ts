/** Quiet-STaR in the engine: thoughts in parallel against one position at a time, and its gradients against the definition. */
import { describe, expect, it } from 'vitest';
import type { TokenRow } from '../../engine/tfjs/batches.ts';
import { flatten, initialTensors, parameterLayout, unflatten } from '../../engine/tfjs/layout.ts';
import { tf } from '../../engine/tfjs/native.ts';
import type { Tensor } from '../../engine/tfjs/native.ts';
import { LAST_OF_MIXING } from '../../engine/tfjs/parameters.ts';
import { pick } from '../../engine/tfjs/pick.ts';
import { assembleThinking } from '../../engine/tfjs/quiet.ts';
import type { QuietAim, ThinkingBatch } from '../../engine/tfjs/quiet.ts';
import { indexOf, thoughtsOf } from '../../engine/tfjs/quiet-streams.ts';
import { Thinker } from '../../engine/tfjs/quiet-thinker.ts';
import { uniform } from '../../engine/tfjs/rng.ts';
import type { NamedTensor } from '../../engine/tfjs/safetensors.ts';
import { TrainStep } from '../../engine/tfjs/step.ts';
import { DecoderConfig, TrainSchedule } from '../../schemas/checkpoint.ts';
import { expectGradients, size } from './gradients.ts';
import { FAMILIES } from './models.ts';
import { plainQuiet, plainQuietLoss, advantagesOf } from './plain-quiet.ts';

const SEED = '00112233445566778899aabbccddeeff';
const AIM: QuietAim = { kind: 'quiet', tokens: 3, ahead: 2, passes: 2, policy: 0.7 };
const PAUSE: QuietAim = { ...AIM, pause: true };
const small = { vocabSize: 11, dModel: 16, layers: 2, heads: 2, dFF: 24, activation: 'relu', context: 32 };
const configure = (more: Partial<DecoderConfig> = {}, { tokens, pause }: QuietAim = AIM) =>
  DecoderConfig.parse({ ...small, ...more, quiet: { tokens, ...(pause && { pause }) } });
const rows: TokenRow[] = [7, 4, 9].map((length, row) => ({
  tokens: Int32Array.from({ length }, (_, i) => Math.floor(uniform(SEED, 7, row, i) * 11)),
  promptLength: [3, 1, 4][row]!,
}));

/** Weights with gains away from 1 and a mixing head that says something. */
function lively(config: DecoderConfig, mixing = true): Map<string, NamedTensor> {
  const tensors = initialTensors(config, SEED);
  for (const { name, shape, data } of tensors.values()) {
    if (shape.length === 1) data.forEach((_, i) => (data[i] = 0.5 + uniform(SEED, 8, i)));
    if (name === LAST_OF_MIXING) data.forEach((_, i) => (data[i] = mixing ? uniform(SEED, 9, i) - 0.4 : 0));
    if (name === LAST_OF_MIXING.replace('weight', 'bias')) data[0] = mixing ? 0.2 : 0;
  }
  return tensors;
}

/** Samples the thoughts of a batch; gives the logits each token was sampled from. */
function thought(
  config: DecoderConfig,
  batch: ThinkingBatch,
  tensors: Map<string, NamedTensor>,
  mode: 'graph' | 'eager',
) {
  const thinker = new Thinker(config, mode);
  const weights = tf.tensor1d(flatten(parameterLayout(config), tensors));
  const seen: { thought: number; token: number; logits: Float32Array }[] = [];
  thinker.think(batch, weights, (logits, thought, token) => {
    seen.push({ thought, token, logits: logits.slice() });
    return pick(logits, { temperature: 1, topP: 1 }, uniform(SEED, thought, token));
  });
  const costs = thinker.costs(batch, weights);
  weights.dispose();
  thinker.dispose();
  return { seen, costs };
}

const kinds: [string, Partial<DecoderConfig>][] = [
  ['tied', {}],
  ['untied swiglu, grouped', { activation: 'swiglu', tiedEmbeddings: false, heads: 4, kvHeads: 2 }],
  ['a window of three tokens', { window: 3 }],
  ['GPT-2', { ...FAMILIES['GPT-2'], heads: 4 }],
  ['GPT-J', { ...FAMILIES['GPT-J'], heads: 4, rotaryWidth: 2 }],
];

describe.each(kinds)('thoughts at every position (%s)', (_, more) => {
  const config = configure(more);
  const tensors = lively(config);

  it.each(['graph', 'eager'] as const)('in parallel have the logits of one position at a time, %s', (mode) => {
    const batch = assembleThinking(rows, 0, config.vocabSize, AIM);
    const { seen, costs } = thought(config, batch, tensors, mode);
    expect(seen.length).toBe(batch.asked.length * AIM.tokens);
    expect(batch.asked.length).toBeGreaterThan(20);
    const perRow = thoughtsOf(batch.thinking);
    tf.tidy(() => {
      const named = new Map([...tensors].map(([name, { data, shape }]) => [name, tf.tensor(data, shape)]));
      for (const { thought: number, token, logits } of seen) {
        const [copy, k] = [Math.floor(number / perRow), number % perRow];
        const { tokens } = rows[Math.floor(copy / AIM.passes)]!;
        const stream = Array.from(
          { length: token + 1 },
          (_, s) => batch.ids[copy * batch.time + indexOf(batch.thinking, k, s)]!,
        );
        const read = Int32Array.of(...tokens.subarray(0, batch.thinking.from + k + 1), ...stream);
        const expected = plainQuiet(config, named, read).dataSync().slice(-config.vocabSize);
        for (const [id, logit] of logits.entries()) expect(Math.abs(logit - expected[id]!)).toBeLessThan(1e-4);
      }
    });
    // Every thought's tokens are of the vocabulary, and were learnt from as they were sampled.
    const within = batch.targets.subarray(batch.firstTarget, batch.firstTarget + seen.length);
    expect(Math.max(...within)).toBeLessThan(config.vocabSize);
    expect(new Set(within).size).toBeGreaterThan(3);
    expect(costs.every(Number.isFinite)).toBe(true);
  });

  it('and a last layer of zeros leave the model as it was, bit for bit', () => {
    const batch = assembleThinking(rows, 0, config.vocabSize, AIM);
    const { costs } = thought(config, batch, lively(config, false), 'graph');
    const { values: partner } = batch.aim!.inputs.partner!;
    const behind = costs.subarray(costs.length - partner.length);
    for (const [n, cost] of behind.entries()) expect(cost).toBe(costs[partner[n]!]);
    const { costs: mixed } = thought(config, assembleThinking(rows, 0, config.vocabSize, AIM), tensors, 'graph');
    expect(mixed.at(-1)).not.toBe(mixed[partner[partner.length - 1]!]);
  });
});

// No clipping: the first moment after one step is a tenth of the mean gradient.
const schedule = TrainSchedule.parse({
  ...{ steps: 1, learningRate: 1e-3, warmupSteps: 0, decay: 'constant', batchSize: 4, clipNorm: 1e9 },
});
function stepped(
  config: DecoderConfig,
  batch: ThinkingBatch,
  tensors: Map<string, NamedTensor>,
  aim: QuietAim,
  mode: 'graph' | 'eager',
) {
  const layout = parameterLayout(config);
  const zeros = () => new Float32Array(layout.size);
  const state = { weights: flatten(layout, tensors), first: zeros(), second: zeros() };
  const step = new TrainStep(layout, schedule, state, [], mode, aim);
  const loss = step.run([batch], 0, 1e-3);
  const gradient = step.read().first.map((moment) => (moment / (1 - 0.9)) * batch.aim!.count);
  step.dispose();
  return { loss, gradients: unflatten(layout, gradient) };
}

describe.each(kinds)('the objective with its thoughts frozen (%s)', (_, more) => {
  describe.each([
    ['sampled', AIM],
    ['pauses', PAUSE],
  ])('%s', (_, aim) => {
    const config = configure(more, aim);
    const tensors = lively(config);
    const batch = assembleThinking(rows, 0, config.vocabSize, aim);
    const { costs } = thought(config, batch, tensors, 'graph');
    const advantages = advantagesOf(rows, batch, costs, aim);
    const definition = (values: ReadonlyMap<string, Tensor>) =>
      plainQuietLoss(config, rows, batch, values, aim, advantages);

    it.each(['graph', 'eager'] as const)('has the loss and every gradient of its definition, %s', (mode) => {
      const sizes = expectGradients(stepped(config, batch, tensors, aim, mode), tensors, definition);
      for (const name of [...sizes.keys()].filter((one) => one.startsWith('quiet.')))
        expect(sizes.get(name), name).toBeGreaterThan(1e-3);
      if (!aim.pause) expect(advantages.some((one) => one > 0.01)).toBe(true);
    });
  });
});

describe.each([
  ['sampled', AIM],
  ['pauses', PAUSE],
])('the objective with its thoughts frozen, %s', (_, aim) => {
  it('falls along the gradient of each tensor as finite differences of the definition say', () => {
    const config = configure({}, aim);
    const tensors = lively(config);
    const few = rows.slice(1, 2);
    const batch = assembleThinking(few, 0, config.vocabSize, aim);
    const { costs } = thought(config, batch, tensors, 'graph');
    const advantages = advantagesOf(few, batch, costs, aim);
    const { gradients } = stepped(config, batch, tensors, aim, 'graph');
    let steepest = 0;
    for (const [name, { data }] of gradients) {
      const norm = size(data);
      steepest = Math.max(steepest, norm);
      const lossAt = (along: number) =>
        tf.tidy(() => {
          const values = new Map(
            [...tensors].map(([one, { data: weights, shape }]) => {
              const moved = one === name ? weights.map((x, i) => x + (along * data[i]!) / norm) : weights;
              return [one, tf.tensor(moved, shape)];
            }),
          );
          return plainQuietLoss(config, few, batch, values, aim, advantages).dataSync()[0]!;
        });
      const by = 4e-3;
      const slope = (lossAt(by) - lossAt(-by)) / (2 * by);
      expect(norm, name).toBeGreaterThan(0);
      // float32: a loss of about 10 is known to some 1e-6.
      expect(Math.abs(slope - norm), name).toBeLessThan(0.02 * norm + 1e-3);
    }
    expect(steepest).toBeGreaterThan(0.5);
  });
});
