import { afterEach, describe, expect, it } from 'vitest';
import { assemble } from '../../engine/tfjs/batches.ts';
import type { TokenRow } from '../../engine/tfjs/batches.ts';
import { EagerKernels } from '../../engine/tfjs/eager.ts';
import { learn } from '../../engine/tfjs/gradient.ts';
import { makeTables, passShapes } from '../../engine/tfjs/pass-inputs.ts';
import { SPECIAL } from '../../engine/tfjs/kernels.ts';
import type { Special } from '../../engine/tfjs/kernels.ts';
import { flatten, initialTensors, parameterLayout, unflatten } from '../../engine/tfjs/layout.ts';
import { FullLearner } from '../../engine/tfjs/learner.ts';
import { tf } from '../../engine/tfjs/native.ts';
import type { Tensor } from '../../engine/tfjs/native.ts';
import { parameterShapes } from '../../engine/tfjs/parameters.ts';
import type { NamedTensor } from '../../engine/tfjs/safetensors.ts';
import { uniform } from '../../engine/tfjs/rng.ts';
import { DecoderConfig } from '../../schemas/checkpoint.ts';
import { FAMILIES } from './models.ts';
import { plainLoss } from './plain-loss.ts';

const SEED = '00112233445566778899aabbccddeeff';
const small = { vocabSize: 11, dModel: 16, layers: 2, heads: 2, dFF: 24, activation: 'relu', context: 32 };
const configure = (more: Partial<DecoderConfig> = {}) => DecoderConfig.parse({ ...small, ...more });
const LENGTHS = [9, 3, 12, 5, 7, 2, 10, 8];
const makeRows = (lengths = LENGTHS): TokenRow[] =>
  lengths.map((length, row) => ({
    tokens: Int32Array.from({ length }, (_, i) => Math.floor(uniform(SEED, 7, row, i) * 11)),
    promptLength: 1 + (row % Math.max(1, length - 1)),
  }));

/** Starting weights with gains away from 1, so that a gradient that forgets them is seen. */
function startingWeights(config: DecoderConfig): Map<string, NamedTensor> {
  const tensors = initialTensors(config, SEED);
  for (const { shape, data } of tensors.values()) {
    if (shape.length === 1) data.forEach((_, i) => (data[i] = 0.5 + uniform(SEED, 8, i)));
  }
  return tensors;
}

const kernels: EagerKernels[] = [];
afterEach(() => kernels.splice(0).forEach((k) => k.dispose()));
function own(
  config: DecoderConfig,
  rows: TokenRow[],
  tensors: Map<string, NamedTensor>,
  {
    change,
    without,
    cut,
  }: { change?: (ids: Int32Array) => void; without?: ReadonlySet<Special>; cut?: readonly number[] } = {},
) {
  const k = new EagerKernels(without);
  kernels.push(k);
  const layout = parameterLayout(config);
  const batch = assemble(rows, 0);
  change?.(batch.ids);
  tf.engine().startScope();
  try {
    const shapes = passShapes(config, batch);
    const { rotations, mask } = makeTables(config, batch.time);
    const ints = (values: ArrayLike<number>) => tf.tensor1d(Int32Array.from(values), 'int32');
    const learner = new FullLearner(k, layout, tf.tensor1d(flatten(layout, tensors)));
    const pieces = cut ?? shapes.pieces;
    const inputs = {
      ids: ints(batch.ids),
      positions: ints(batch.positions),
      targets: ints(batch.targets),
      places: ints(shapes.places),
      pieces: ints(pieces),
      tokens: tf.scalar(shapes.tokens, 'int32'),
      headsShape: ints(shapes.headsShape),
      pairsShape: ints(shapes.pairsShape),
      rotationShape: ints(shapes.rotationShape),
      maskShape: ints(shapes.maskShape),
      rotations: tf.tensor(rotations.values, rotations.shape),
      mask: tf.tensor(mask.values, mask.shape),
    };
    const loss = learn(k, config, learner, inputs, pieces.length);
    const gradients = unflatten(layout, learner.gradient().dataSync() as Float32Array);
    return { loss: loss.dataSync()[0]!, gradients, targets: batch.targets.length };
  } finally {
    tf.engine().endScope();
  }
}

const size = (a: Float32Array) => Math.sqrt(a.reduce((sum, x) => sum + x * x, 0));
const difference = (a: Float32Array, b: Float32Array) => size(a.map((x, i) => x - b[i]!));
const distance = (a: Float32Array, b: Float32Array) => difference(a, b) / size(b);

const kinds: [string, Partial<DecoderConfig>][] = [
  ['tied', {}],
  ['untied', { tiedEmbeddings: false }],
  ['swiglu', { activation: 'swiglu', layers: 3, heads: 4 }],
  ['swiglu, grouped', { activation: 'swiglu', heads: 4, kvHeads: 2 }],
  ['one key head, untied', { tiedEmbeddings: false, heads: 4, kvHeads: 1 }],
  ['one of all', { activation: 'swiglu', tiedEmbeddings: false, layers: 1, heads: 1 }],
  ['a window of three tokens', { window: 3 }],
  ...Object.entries(FAMILIES).map(([name, config]): [string, Partial<DecoderConfig>] => [
    name,
    { heads: 4, ...config, rotaryWidth: 'rotaryWidth' in config ? 2 : undefined },
  ]),
];
describe.each(kinds)('the pass by hand (%s)', (_, more) => {
  it('gives the loss and every gradient of the plain definition, padding present', () => {
    const config = configure(more);
    const tensors = startingWeights(config);
    const rows = makeRows();
    const mine = own(config, rows, tensors);
    const names = [...tensors.keys()];
    tf.tidy(() => {
      const variables = names.map((name) => tf.tensor(tensors.get(name)!.data, tensors.get(name)!.shape));
      const f = (...values: Tensor[]) => plainLoss(config, rows, new Map(names.map((name, i) => [name, values[i]!])));
      const { value, grads } = tf.valueAndGrads(f)(variables);
      expect(Math.abs(mine.loss / value.dataSync()[0]! - 1)).toBeLessThan(1e-5);
      expect(grads.length).toBe(names.length);
      const expected = grads.map((grad) => grad.dataSync() as Float32Array);
      const whole = Math.hypot(...expected.map((data) => size(data)));
      for (const [i, name] of names.entries()) {
        // Where nothing rotates, a key's bias moves all scores of a query alike: what is learnt there is rounding.
        const error = difference(mine.gradients.get(name)!.data, expected[i]!);
        expect(error, name).toBeLessThan(Math.max(1e-3 * size(expected[i]!), 1e-6 * whole));
      }
    });
  });
});

describe('the loss', () => {
  const config = configure();
  const tensors = startingWeights(config);

  it('of a row is the same alone and in company of other lengths', () => {
    const rows = makeRows();
    const alone = rows.map((row) => own(config, [row], tensors).loss);
    const together = own(config, rows, tensors);
    const sum = alone.reduce((a, b) => a + b, 0);
    expect(Math.abs(together.loss / sum - 1)).toBeLessThan(1e-6);
  });

  it('and the gradient do not see what stands in the padding', () => {
    const rows = makeRows();
    const plain = own(config, rows, tensors);
    const change = (ids: Int32Array) => {
      const { time } = assemble(rows, 0);
      for (const [row, { tokens }] of rows.entries()) ids.fill(9, row * time + tokens.length - 1, (row + 1) * time);
    };
    const other = own(config, rows, tensors, { change });
    expect(other.loss).toBe(plain.loss);
    for (const [name, { data }] of plain.gradients)
      expect(distance(other.gradients.get(name)!.data, data), name).toBeLessThan(1e-6);
  });

  it('covers completion tokens only: the prompt is read, never predicted (I6)', () => {
    const [prompt, completion] = [
      [1, 2, 3, 4],
      [5, 6, 7],
    ];
    const row = { tokens: Int32Array.of(...prompt, ...completion), promptLength: prompt.length };
    const batch = assemble([row], 0);
    expect([...batch.targets]).toEqual(completion);
    expect([...batch.positions]).toEqual([3, 4, 5]);
    // What a prompt token would have been predicted as makes no difference: position 0…2 carry no loss.
    const all = own(config, [{ ...row, promptLength: 1 }], tensors).loss;
    expect(own(config, [row], tensors).loss).toBeLessThan(all);
  });

  it('covers the end token and masks padding although both have one id', () => {
    const end = 0;
    const rows = [
      { tokens: Int32Array.of(1, 2, end), promptLength: 1 },
      { tokens: Int32Array.of(1, 2, 3, 4, end), promptLength: 1 },
    ];
    const batch = assemble(rows, end);
    expect([...batch.targets]).toEqual([2, end, 2, 3, 4, end]);
    expect(batch.tokens).toBe(2 + 4);
  });
});

describe('without each special kernel', () => {
  it.each(SPECIAL.map((name) => [name]))('%s, the other way gives the same', (name) => {
    const config = configure();
    const tensors = startingWeights(config);
    const [usual, other] = [undefined, new Set([name])].map((without) =>
      own(config, makeRows(), tensors, without === undefined ? {} : { without }),
    ) as [ReturnType<typeof own>, ReturnType<typeof own>];
    expect(Math.abs(other.loss / usual.loss - 1)).toBeLessThan(1e-6);
    for (const [tensor, { data }] of usual.gradients) {
      expect(distance(other.gradients.get(tensor)!.data, data), tensor).toBeLessThan(1e-5);
    }
  });
});

describe('the logits', () => {
  it.each([
    ['tied', {}],
    ['GPT-J', FAMILIES['GPT-J']],
  ] as const)('made in pieces teach the same: %s', (_, more) => {
    const config = configure({ ...more, heads: 2 });
    const tensors = startingWeights(config);
    const whole = own(config, makeRows(), tensors);
    const cut = own(config, makeRows(), tensors, { cut: [7, 7, 7, whole.targets - 21] });
    expect(Math.abs(cut.loss / whole.loss - 1)).toBeLessThan(1e-6);
    for (const [name, { data }] of whole.gradients)
      expect(distance(cut.gradients.get(name)!.data, data), name).toBeLessThan(1e-5);
  });
});

describe('the layout of the weights', () => {
  it('gives every tensor back bit for bit', () => {
    for (const [, more] of kinds) {
      const config = configure(more);
      const tensors = initialTensors(config, SEED);
      const layout = parameterLayout(config);
      expect(unflatten(layout, flatten(layout, tensors))).toEqual(tensors);
      expect(layout.size).toBe(
        parameterShapes(config).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
      );
    }
  });

  it('with as many heads of keys as of queries is the one of a config that names none', () => {
    const config = configure({ activation: 'swiglu' });
    const named = { ...config, kvHeads: config.heads };
    expect(initialTensors(named, SEED)).toEqual(initialTensors(config, SEED));
    expect(parameterLayout(named).pieces).toEqual(parameterLayout(config).pieces);
  });
});
