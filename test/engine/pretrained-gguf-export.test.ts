/** What is exported as GGUF imports as the same checkpoint; llama.cpp itself: openai/llama-cpp.slow.test.ts. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportGguf } from '../../engine/tfjs/pretrained/gguf-export.ts';
import { importPretrained } from '../../engine/tfjs/pretrained/import.ts';
import { readCheckpoint } from '../../engine/tfjs/safetensors.ts';
import type { Checkpoint } from '../../engine/tfjs/safetensors.ts';
import { FAMILIES, randomModel } from './models.ts';
import { modelFolderAt } from './pretrained-files.ts';

describe('a GGUF export', () => {
  let folder: string;
  let model: Checkpoint;
  const at = (name: string) => path.join(folder, name);
  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'startrail-gguf-'));
    await importPretrained(modelFolderAt(at('hub')), at('model.safetensors'));
    model = await readCheckpoint(at('model.safetensors'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('imports as the same model: weights, config, ids, special tokens, template', async () => {
    await exportGguf(model, at('model.gguf'));
    await importPretrained(at('model.gguf'), at('back.safetensors'));
    const back = await readCheckpoint(at('back.safetensors'));
    expect(back.config).toEqual(model.config);
    expect(back.tensors).toEqual(model.tensors);
    const [one, two] = [model.tokenizer, back.tokenizer] as { kind: string; tokenizer: string }[];
    expect({ ...two, tokenizer: '' }).toMatchObject({ ...one, tokenizer: '', size: 264 - 3 });
    const vocabulary = (spec?: { tokenizer: string }) =>
      (JSON.parse(spec!.tokenizer) as { model: { vocab: object; merges: string[] } }).model;
    expect(vocabulary(two).vocab).toMatchObject(vocabulary(one).vocab);
    expect(vocabulary(two).merges).toEqual(vocabulary(one).merges);
    await exportGguf(back, at('again.gguf'));
    expect(readFileSync(at('again.gguf')).equals(readFileSync(at('model.gguf')))).toBe(true);
  });

  it('of what llama.cpp has no word for is refused by name', async () => {
    const refused = (sentence: string) => ({
      code: 'CheckpointInvalid',
      message: expect.stringContaining(sentence) as string,
    });
    const qwen = { ...model, config: { ...model.config, ...FAMILIES.Qwen2 } };
    await expect(exportGguf(qwen, at('qwen.gguf'))).rejects.toMatchObject(refused('biases'));
    const pieces = randomModel({ activation: 'swiglu' });
    await expect(exportGguf(pieces, at('pieces.gguf'))).rejects.toMatchObject(refused('list of pieces'));
  });
});
