/**
 * An engine that lives through many iterations: fine-tune, sample from what came out, as the loop does, full and with an adapter.
 *
 * Whatever an iteration leaves behind adds up over days, so after 50 more of them as many tensors, handles and open files exist as
 * before and the resident size is about the same. It prints the peak.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TrainRequest } from '../../engine/engine.ts';
import { createTfjsEngine } from '../../engine/tfjs/engine.ts';
import { tf } from '../../engine/tfjs/native.ts';
import { alive } from '../../engine/tfjs/raw.ts';
import { TrainSchedule } from '../../schemas/checkpoint.ts';
import { modelFolder, randomModel, reference, seedOf, tokenizer } from './models.ts';

const WARM_UP = 20;
const ITERATIONS = 50;
/** What an allocator keeps varies by some megabytes from call to call; a model of this test with its gradients takes about 3. */
const SLACK_BYTES = 40e6;
const BOUND_BYTES = 1e9;

const files = modelFolder();
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'leak-'));
});
afterAll(async () => {
  files.clean();
  await rm(folder, { recursive: true });
});

const handles = () => (existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : 0);

it(`over ${ITERATIONS} iterations no tensor, handle or file stays, and the resident size does not grow`, async () => {
  const base = await files.save(randomModel({ kvHeads: 2, activation: 'swiglu' }));
  const config = { ...reference, kvHeads: 2, activation: 'swiglu' as const };
  const engine = createTfjsEngine();

  async function iteration(n: number): Promise<void> {
    // Another count of rows and other lengths each time, as the ledger of an iteration has.
    const rows = Array.from({ length: 30 + ((n * 17) % 40) }, (_, i) => ({
      prompt: `${i * 7 + (n % 3)}+${i}=`,
      completion: String(i * (8 + (n % 5))),
    }));
    const dataPath = path.join(folder, 'rows.jsonl');
    await writeFile(dataPath, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const adapted = n % 2 === 1;
    const request: TrainRequest = {
      start: n % 4 === 0 ? { kind: 'fresh', config, tokenizer } : { kind: 'checkpoint', checkpoint: base },
      dataPath,
      schedule: TrainSchedule.parse({
        ...{ steps: 12, learningRate: 1e-3, warmupSteps: 2, decay: 'linear', batchSize: 8, clipNorm: 1 },
      }),
      seed: seedOf(n),
      outputPath: path.join(folder, `out-${n}.safetensors`),
      ...(adapted && { adapter: { rank: 4, alpha: 8 } }),
    };
    const { weightsDigest: digest } = await engine.train(request);
    const model = { path: request.outputPath, digest, ...(adapted && { base }) };
    await engine.sample({
      model,
      rows: rows.map(({ prompt }, row) => ({ prompt, seed: seedOf(row), maxNewTokens: 4 + ((row + n) % 12) })),
      sampling: { temperature: n % 3 === 0 ? 0 : 1, topP: 1 },
    });
    rmSync(request.outputPath);
  }

  for (let n = 0; n < WARM_UP; n++) await iteration(n);
  const before = { alive: alive(), others: { tensors: tf.memory().numTensors, handles: handles() } };
  const resident = process.memoryUsage.rss();
  for (let n = 0; n < ITERATIONS; n++) await iteration(WARM_UP + n);
  const growth = process.memoryUsage.rss() - resident;
  const peak = process.resourceUsage().maxRSS * 1024;
  process.stderr.write(
    `${ITERATIONS} iterations: resident size ${(resident / 1e6).toFixed(0)} MB, then ${growth < 0 ? '' : '+'}${(growth / 1e6).toFixed(0)} MB; peak ${(peak / 1e6).toFixed(0)} MB\n`,
  );
  // Native tensors of loaded models vary by one or two (a table of rotations grows with the longest row); a leak would show 50 times.
  expect(alive()).toBeLessThanOrEqual(before.alive + 5);
  expect({ tensors: tf.memory().numTensors, handles: handles() }).toEqual(before.others);
  expect(growth).toBeLessThan(SLACK_BYTES);
  expect(peak).toBeLessThan(BOUND_BYTES);
  await engine.close();
});
