import { describe, expect, it } from 'vitest';
import { adapterLayout, adapterShapes, frozenBlocks, initialAdapter, mergeAdapter } from '../../engine/tfjs/adapter.ts';
import { assemble } from '../../engine/tfjs/batches.ts';
import { flatten, initialTensors, unflatten } from '../../engine/tfjs/layout.ts';
import { tf } from '../../engine/tfjs/native.ts';
import type { Tensor } from '../../engine/tfjs/native.ts';
import { uniform } from '../../engine/tfjs/rng.ts';
import type { NamedTensor } from '../../engine/tfjs/safetensors.ts';
import { TrainStep } from '../../engine/tfjs/step.ts';
import type { StepMode } from '../../engine/tfjs/step.ts';
import { DecoderConfig, TrainSchedule } from '../../schemas/checkpoint.ts';
import { FAMILIES } from './models.ts';
import { plainLoss } from './plain-loss.ts';

const SEED = '5555aaaa5555aaaa5555aaaa5555aaaa';
const options = { rank: 3, alpha: 6 };
const configure = (change: Partial<DecoderConfig> = {}) =>
  DecoderConfig.parse({
    ...{ vocabSize: 11, dModel: 16, layers: 2, heads: 4, dFF: 24, activation: 'swiglu', context: 16 },
    ...change,
  });
const rows = [9, 3, 12, 5].map((length, row) => ({
  tokens: Int32Array.from({ length }, (_, i) => Math.floor(uniform(SEED, 7, row, i) * 11)),
  promptLength: 1 + (row % 2),
}));

/** Weights with gains away from 1. */
function base(config: DecoderConfig): Map<string, NamedTensor> {
  const tensors = initialTensors(config, SEED);
  for (const { shape, data } of tensors.values())
    if (shape.length === 1) data.forEach((_, i) => (data[i] = 0.5 + uniform(SEED, 8, i)));
  return tensors;
}
/** An adapter in which both factors are something. */
function lively(config: DecoderConfig): Map<string, NamedTensor> {
  const tensors = initialAdapter(config, options, SEED);
  for (const { name, data } of tensors.values())
    if (name.includes('lora_B')) data.forEach((_, i) => (data[i] = 0.4 * (uniform(SEED, 9, i) - 0.5)));
  return tensors;
}
const distance = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let [difference, size] = [0, 0];
  Array.from(a).forEach((x, i) => {
    difference += (x - b[i]!) ** 2;
    size += b[i]! ** 2;
  });
  return Math.sqrt(difference) / Math.sqrt(size);
};
const schedule = TrainSchedule.parse({
  ...{ steps: 9, learningRate: 1e-2, warmupSteps: 0, decay: 'constant', batchSize: 4 },
  clipNorm: 1e9,
});

/** Steps from a lively adapter, and what they read. */
function trained(config: DecoderConfig, steps: number, mode: StepMode) {
  const layout = adapterLayout(config, options);
  const zeros = () => new Float32Array(layout.size);
  const start = { weights: flatten(layout, lively(config)), first: zeros(), second: zeros() };
  const step = new TrainStep(layout, schedule, start, frozenBlocks(layout, base(config)), mode);
  try {
    const losses = Array.from({ length: steps }, (_, i) => step.run([assemble(rows, 0)], i, 1e-2));
    return { layout, losses, ...step.read() };
  } finally {
    step.dispose();
  }
}

const kinds: [string, Partial<DecoderConfig>][] = [
  ['swiglu, grouped', { kvHeads: 2 }],
  ['swiglu, one key head, untied', { tiedEmbeddings: false, kvHeads: 1 }],
  ['relu', { activation: 'relu' }],
  ['GPT-2', FAMILIES['GPT-2']],
  ['GPT-J', { ...FAMILIES['GPT-J'], rotaryWidth: 2 }],
  ['Qwen3', FAMILIES.Qwen3],
];
describe.each(kinds)('an adapter (%s)', (_, more) => {
  const config = configure(more);

  it('learns what the plain definition of W + s·B·A says, both factors of every projection', () => {
    const { layout, losses, first } = trained(config, 1, 'graph');
    const predicted = assemble(rows, 0).targets.length;
    const gradients = unflatten(layout, first);
    const adapter = lively(config);
    const frozen = base(config);
    const names = [...adapter.keys()];
    tf.tidy(() => {
      const tensor = ({ data, shape }: NamedTensor) => tf.tensor(data, shape);
      const plain = (...values: Tensor[]) => {
        const factors = new Map(names.map((name, i) => [name, values[i]!]));
        const weights = new Map<string, Tensor>();
        for (const [name, one] of frozen) {
          const stem = `base_model.model.${name.replace(/\.weight$/, '')}`;
          const [a, b] = ['A', 'B'].map((factor) => factors.get(`${stem}.lora_${factor}.weight`));
          const moved = a && b ? tf.matMul(b as any, a as any).mul(options.alpha / options.rank) : tf.scalar(0);
          weights.set(name, tensor(one).add(moved));
        }
        return plainLoss(config, rows, weights) as any;
      };
      const { value, grads } = tf.valueAndGrads(plain)(names.map((name) => tensor(adapter.get(name)!)));
      expect(Math.abs(losses[0]! / value.dataSync()[0]! - 1)).toBeLessThan(1e-5);
      for (const [i, name] of names.entries()) {
        // The first moment after one step is (1 − β₁) of the mean gradient.
        const expected = grads[i]!.dataSync().map((x) => (0.1 * x) / predicted);
        expect(distance(gradients.get(name)!.data, expected), name).toBeLessThan(1e-3);
      }
    });
  });

  it('leaves 0 between the factors of q, k and v, run as a graph and op by op', () => {
    const before = tf.memory().numTensors;
    const [graph, eager] = [trained(config, 5, 'graph'), trained(config, 5, 'eager')];
    expect(distance(graph.weights, eager.weights)).toBeLessThan(1e-4);
    // What flatten puts anywhere is all there is.
    expect(flatten(graph.layout, unflatten(graph.layout, graph.weights))).toEqual(graph.weights);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('merged into its base gives the same loss', () => {
    const merged = mergeAdapter(base(config), { options, tensors: lively(config) });
    const loss = tf.tidy(
      () =>
        plainLoss(
          config,
          rows,
          new Map([...merged].map(([name, { data, shape }]) => [name, tf.tensor(data, shape)])),
        ).dataSync()[0]!,
    );
    expect(Math.abs(loss / trained(config, 1, 'graph').losses[0]! - 1)).toBeLessThan(1e-5);
  });
});

describe('a fresh adapter', () => {
  const config = configure({ kvHeads: 2 });

  it('changes nothing of its base: B is zero, A is not', () => {
    const tensors = initialAdapter(config, options, SEED);
    expect(mergeAdapter(base(config), { options, tensors })).toEqual(base(config));
    for (const { name, data, shape } of tensors.values()) {
      const bound = name.includes('lora_A') ? 1 / Math.sqrt(shape[1]!) : 0;
      expect(
        data.every((x) => Math.abs(x) <= bound),
        name,
      ).toBe(true);
      expect(
        data.some((x) => Math.abs(x) > bound / 2),
        name,
      ).toBe(name.includes('lora_A'));
    }
  });

  it('is a function of its seed', () => {
    const other = initialAdapter(config, options, SEED.replace('5', '6'));
    expect(initialAdapter(config, options, SEED)).toEqual(initialAdapter(config, options, SEED));
    expect(other).not.toEqual(initialAdapter(config, options, SEED));
  });

  it('has the names and shapes that PEFT writes', () => {
    const stem = 'base_model.model.model.layers.1.self_attn.v_proj';
    const shapes = new Map(adapterShapes(config, options).map(({ name, shape }) => [name, shape]));
    expect(shapes.get(`${stem}.lora_A.weight`)).toEqual([3, 16]);
    expect(shapes.get(`${stem}.lora_B.weight`)).toEqual([8, 3]);
    expect(shapes.size).toBe(2 * 7 * 2);
  });
});
