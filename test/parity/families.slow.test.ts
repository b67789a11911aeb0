/**
 * The decoder against transformers, for each family it claims: logits, greedy tokens and every gradient.
 *
 *   npx vitest run --mode slow test/parity
 *
 * families.py makes the models and the reference, in the Python environment of the bench (bench/python.ts; gigabytes, the
 * first time). Rows stand alone there and padded in a batch here, so this holds padded and unpadded together too.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { python } from '../../bench/python.ts';
import { assemble } from '../../engine/tfjs/batches.ts';
import { Decoder } from '../../engine/tfjs/decoder.ts';
import { flatten, parameterLayout, unflatten } from '../../engine/tfjs/layout.ts';
import { parameterShapes } from '../../engine/tfjs/parameters.ts';
import { free, read } from '../../engine/tfjs/raw.ts';
import { exactTensors, readSafetensors } from '../../engine/tfjs/safetensors.ts';
import type { NamedTensor } from '../../engine/tfjs/safetensors.ts';
import { TrainStep } from '../../engine/tfjs/step.ts';
import { DecoderConfig, TrainSchedule } from '../../schemas/checkpoint.ts';

interface Reference {
  config: unknown;
  prompts: number[][];
  greedy: number[][];
  gaps: number[][];
  rows: number[][];
  starts: number[];
  loss: number;
}

const folder = mkdtempSync(path.join(tmpdir(), 'startrail-parity-'));
afterAll(() => rmSync(folder, { recursive: true }));
beforeAll(async () => {
  const interpreter = await python((line) => process.stderr.write(`${line}\n`), ['safetensors']);
  await promisify(execFile)(interpreter, [path.join(import.meta.dirname, 'families.py'), folder]);
}, 30 * 60_000);

async function load(name: string) {
  const reference = JSON.parse(readFileSync(path.join(folder, `${name}.json`), 'utf8')) as Reference;
  const config = DecoderConfig.parse(reference.config);
  const file = path.join(folder, `${name}.safetensors`);
  const tensors = exactTensors(file, (await readSafetensors(file)).tensors, parameterShapes(config));
  const expected = (await readSafetensors(path.join(folder, `${name}.reference.safetensors`))).tensors;
  return { config, tensors, expected, reference };
}

const size = (a: Float32Array) => Math.sqrt(a.reduce((sum, x) => sum + x * x, 0));

describe.each(['gpt2', 'gptj', 'llama', 'llama-grouped', 'mistral', 'qwen2', 'qwen3', 'qwen3-untied'])('%s', (name) => {
  it('has the logits and the greedy tokens', async () => {
    const { config, tensors, expected, reference } = await load(name);
    const decoder = new Decoder({ config, tensors });
    const slots = decoder.sizes.find((count) => count >= reference.prompts.length)!;
    const prompts = Array.from({ length: slots }, (_, slot) => reference.prompts[slot] ?? []);
    const { cache, result } = decoder.prefill(prompts, 8, 0, 'logits');
    let said = read(result).slice() as Float32Array;
    free(result);
    const logits = expected.get('logits')!.data as Float32Array;
    const worst = logits.reduce((most, value, i) => Math.max(most, Math.abs(value - said[i]!)), 0);
    const running = new Set(reference.prompts.keys());
    let same = 0;
    for (let step = 0; step < reference.greedy[0]!.length; step++) {
      const next = new Int32Array(slots);
      for (const slot of reference.prompts.keys()) {
        const own = said.subarray(slot * config.vocabSize, (slot + 1) * config.vocabSize);
        next[slot] = own.indexOf(Math.max(...own));
        if (!running.has(slot)) continue;
        if (next[slot] === reference.greedy[slot]![step]) same++;
        else {
          expect(reference.gaps[slot]![step], `prompt ${slot}, token ${step}`).toBeLessThan(2e-3);
          running.delete(slot);
        }
      }
      const handle = decoder.step(cache, next, 'logits');
      said = read(handle).slice() as Float32Array;
      free(handle);
    }
    cache.close();
    decoder.close();
    console.log(`${name}: logits differ by at most ${worst.toExponential(1)}; ${same} greedy tokens equal`);
    expect(worst).toBeGreaterThan(0);
    expect(worst).toBeLessThan(1e-3);
    expect(same).toBeGreaterThan(reference.prompts.length * 32);
  });

  it('has the loss and every gradient', async () => {
    const { config, tensors, expected, reference } = await load(name);
    const layout = parameterLayout(config);
    const rates = { steps: 1, learningRate: 1e-9, warmupSteps: 0, decay: 'constant', batchSize: 6, clipNorm: 1e9 };
    const zeros = () => new Float32Array(layout.size);
    const start = { weights: flatten(layout, tensors), first: zeros(), second: zeros() };
    const step = new TrainStep(layout, TrainSchedule.parse(rates), start);
    const rows = reference.rows.map((row, n) => ({ tokens: Int32Array.from(row), promptLength: reference.starts[n]! }));
    const loss = step.run([assemble(rows, 0)], 0, 1e-9);
    // The first moment after one step is (1 − β₁) of the mean gradient.
    const gradients = unflatten(layout, step.read().first);
    step.dispose();
    expect(Math.abs(loss / reference.loss - 1)).toBeLessThan(1e-5);
    const whole = Math.hypot(...[...tensors.keys()].map((key) => size((expected.get(key) as NamedTensor).data)));
    let worst = 0;
    for (const key of tensors.keys()) {
      const wanted = (expected.get(key) as NamedTensor).data;
      const error = size(gradients.get(key)!.data.map((x, i) => 10 * x - wanted[i]!));
      // Where nothing rotates, a key's bias learns rounding alone.
      if (size(wanted) < 1e-6 * whole) expect(error, key).toBeLessThan(1e-6 * whole);
      else {
        worst = Math.max(worst, error / size(wanted));
        expect(error / size(wanted), key).toBeLessThan(1e-4);
      }
    }
    console.log(`${name}: gradients differ by at most ${worst.toExponential(1)} of their norm`);
  });
});
