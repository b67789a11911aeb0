/**
 * The decoder against transformers, for each family it claims, loaded from the folder that save_pretrained wrote: logits, greedy
 * tokens, every gradient, and those of an adapter.
 *
 *   npx vitest run --mode slow test/parity/families
 *
 * families.py makes the models and the reference, in the Python environment of the bench (bench/python.ts; gigabytes, the
 * first time). Rows stand alone there and padded in a batch here, so this holds padded and unpadded together too.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { python } from '../../bench/python.ts';
import { adapterLayout, frozenBlocks, type FrozenBlock } from '../../engine/tfjs/adapter.ts';
import { assemble } from '../../engine/tfjs/batches.ts';
import { Decoder } from '../../engine/tfjs/decoder.ts';
import { flatten, parameterLayout, unflatten, type Layout } from '../../engine/tfjs/layout.ts';
import { importPretrained } from '../../engine/tfjs/pretrained/import.ts';
import { HUB_NAMES, theirs, type Family } from '../../engine/tfjs/pretrained/names.ts';
import { readCheckpoint, readSafetensors, type NamedTensor } from '../../engine/tfjs/safetensors.ts';
import { TrainStep } from '../../engine/tfjs/step.ts';
import { TrainSchedule } from '../../schemas/checkpoint.ts';
import { compare, readSaid, type Said } from './said.ts';

interface Reference extends Said {
  rows: number[][];
  starts: number[];
  loss: number;
  adapter: { rank: number; alpha: number; loss: number };
}
type Tensors = ReadonlyMap<string, NamedTensor>;

const folder = mkdtempSync(path.join(tmpdir(), 'startrail-parity-'));
afterAll(() => rmSync(folder, { recursive: true }));
beforeAll(async () => {
  const interpreter = await python((line) => process.stderr.write(`${line}\n`), ['safetensors']);
  await promisify(execFile)(interpreter, [path.join(import.meta.dirname, 'families.py'), folder]);
}, 30 * 60_000);

async function load(name: string) {
  const stem = path.join(folder, name);
  await importPretrained(stem, `${stem}.safetensors`);
  const tensorsOf = async (what: string) =>
    (await readSafetensors(`${stem}.${what}.safetensors`)).tensors as unknown as Tensors;
  return { stem, model: await readCheckpoint(`${stem}.safetensors`), said: readSaid<Reference>(stem), tensorsOf };
}

const size = (a: Float32Array) => Math.sqrt(a.reduce((sum, x) => sum + x * x, 0));

/** Loss and mean gradient of the reference's rows, in one padded batch. */
function gradientOf(layout: Layout, weights: Float32Array, { rows, starts }: Reference, frozen: FrozenBlock[] = []) {
  const rates = { steps: 1, learningRate: 1e-9, warmupSteps: 0, decay: 'constant', batchSize: 6, clipNorm: 1e9 };
  const zeros = () => new Float32Array(layout.size);
  const step = new TrainStep(layout, TrainSchedule.parse(rates), { weights, first: zeros(), second: zeros() }, frozen);
  const taught = rows.map((row, n) => ({ tokens: Int32Array.from(row), promptLength: starts[n]! }));
  const batch = assemble(taught, 0);
  const loss = step.run([batch], 0, 1e-9) / batch.targets.length;
  // The first moment after one step is (1 − β₁) of the mean gradient.
  const gradients = unflatten(
    layout,
    step.read().first.map((moment) => 10 * moment),
  );
  step.dispose();
  return { loss, gradients };
}

/** The largest ‖Δ‖/‖g‖ of any tensor; fails above 1e-4. */
function farthest(found: Iterable<NamedTensor>, expected: Tensors): number {
  const whole = Math.hypot(...[...expected.values()].map(({ data }) => size(data)));
  let [worst, count] = [0, 0];
  for (const { name, data, shape } of found) {
    const { data: wanted, shape: there } = expected.get(name)!;
    expect(shape, name).toEqual(there);
    const error = size(data.map((x, i) => x - wanted[i]!));
    count++;
    // Where nothing rotates, a key's bias learns rounding alone.
    if (size(wanted) < 1e-6 * whole) expect(error, name).toBeLessThan(1e-6 * whole);
    else worst = Math.max(worst, error / size(wanted));
    if (size(wanted) >= 1e-6 * whole) expect(error / size(wanted), name).toBeLessThan(1e-4);
  }
  expect(count).toBe(expected.size);
  return worst;
}

describe.each([
  ...['gpt2', 'gpt2-untied', 'gptj', 'gptj-little-turn', 'llama', 'llama-grouped', 'llama-odd'],
  ...['mistral', 'mistral-odd', 'qwen2', 'qwen2-untied', 'qwen3', 'qwen3-odd'],
])('%s', (name) => {
  it('has the logits and the greedy tokens', async () => {
    const { model, said, stem } = await load(name);
    const decoder = new Decoder(model);
    const { first, last, tokens } = await compare(decoder, said, stem, 8);
    decoder.close();
    const worst = Math.max(first, last);
    console.log(`${name}: logits differ by at most ${worst.toExponential(1)}; ${tokens} greedy tokens equal`);
    expect(worst).toBeGreaterThan(0);
    expect(worst).toBeLessThan(1e-3);
    expect(tokens).toBeGreaterThan(said.prompts.length * 32);
  });

  it('has the loss and every gradient', async () => {
    const { model, said, tensorsOf } = await load(name);
    const layout = parameterLayout(model.config);
    const { loss, gradients } = gradientOf(layout, flatten(layout, model.tensors), said);
    expect(Math.abs(loss / said.loss - 1)).toBeLessThan(1e-5);
    const family = name.split('-')[0] as Family;
    const worst = farthest(theirs(HUB_NAMES[family], gradients.values()), await tensorsOf('gradients'));
    console.log(`${name}: gradients differ by at most ${worst.toExponential(1)} of their norm`);
  });
});

it('reads a model in several files', () => {
  expect(
    readdirSync(path.join(folder, 'llama-odd')).filter((file) => file.endsWith('.safetensors')).length,
  ).toBeGreaterThan(1);
});

it.each(['llama-grouped', 'qwen3'])('an adapter on %s has the loss and every gradient', async (name) => {
  const { model, said, tensorsOf } = await load(name);
  const layout = adapterLayout(model.config, { rank: said.adapter.rank, alpha: said.adapter.alpha });
  const weights = flatten(layout, await tensorsOf('factors'));
  const { loss, gradients } = gradientOf(layout, weights, said, frozenBlocks(layout, model.tensors));
  expect(Math.abs(loss / said.adapter.loss - 1)).toBeLessThan(1e-5);
  const worst = farthest(gradients.values(), await tensorsOf('factor-gradients'));
  console.log(`${name}: the adapter's gradients differ by at most ${worst.toExponential(1)} of their norm`);
});
