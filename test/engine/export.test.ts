import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { exportAdapter, exportFolder } from '../../engine/tfjs/export.ts';
import { initialAdapter } from '../../engine/tfjs/adapter.ts';
import { importPretrained } from '../../engine/tfjs/pretrained/import.ts';
import { readCheckpoint, readSafetensors, weightsDigest, type Checkpoint } from '../../engine/tfjs/safetensors.ts';
import type { HuggingFaceSpec } from '../../schemas/checkpoint.ts';
import { FAMILIES, randomModel, seedOf } from './models.ts';
import { tokenizerJson } from './pretrained-files.ts';

const root = mkdtempSync(path.join(tmpdir(), 'export-'));
afterAll(() => rmSync(root, { recursive: true }));

const tokenizer: HuggingFaceSpec = {
  kind: 'huggingface',
  tokenizer: JSON.stringify(tokenizerJson),
  ...{ size: 261, pad: 259, end: 260, ends: [259], begin: 258, chatTemplate: '{{ messages }}' },
};
const readJson = (folder: string, name: string) =>
  JSON.parse(readFileSync(path.join(folder, name), 'utf8')) as Record<string, unknown>;
const model = (config: Partial<Checkpoint['config']>): Checkpoint => ({
  ...randomModel({ vocabSize: 264, ...config }, 5),
  tokenizer,
});

const ODD = {
  llama: { activation: 'swiglu', kvHeads: 1, headWidth: 24, tiedEmbeddings: false },
  'llama with biases': { activation: 'swiglu', biases: { qkv: true, o: true, mlp: true }, ropeTheta: 5e5 },
  'GPT-2, untied, exact GELU': { ...FAMILIES['GPT-2'], activation: 'gelu', tiedEmbeddings: false },
  'GPT-J that turns whole heads': { ...FAMILIES['GPT-J'], rotaryWidth: undefined },
  'Qwen3 with biases': { ...FAMILIES.Qwen3, biases: { qkv: true, o: true } },
} as const;
const { 'a mixture': mixture, ...families } = FAMILIES;

describe('a model goes out and comes back', () => {
  it.each(Object.entries({ ...families, ...ODD }))('%s', async (name, config) => {
    const out = path.join(root, name.replaceAll(' ', '-'));
    const before = model(JSON.parse(JSON.stringify(config)) as Partial<Checkpoint['config']>);
    await exportFolder(before, out);
    const back = path.join(out, 'again.safetensors');
    const imported = await importPretrained(out, back);
    expect(imported.weightsDigest).toBe(weightsDigest(before.tensors.values()));
    const { ropeTheta: _, ...expected } = before.config;
    expect(imported.config).toMatchObject(expected);
    expect(imported.tokenizer).toEqual(tokenizer);
    // A second time the very same files.
    const twice = `${out}-twice`;
    await exportFolder(await readCheckpoint(back), twice);
    for (const file of ['model.safetensors', 'config.json', 'tokenizer.json', 'tokenizer_config.json'])
      expect(readFileSync(path.join(twice, file)).equals(readFileSync(path.join(out, file))), file).toBe(true);
  });

  it('says what is put before a text where the tokenizer itself does not', async () => {
    const bare = { ...tokenizerJson, post_processor: null };
    const out = path.join(root, 'begin');
    await exportFolder({ ...model(families.Qwen2), tokenizer: { ...tokenizer, tokenizer: JSON.stringify(bare) } }, out);
    const imported = await importPretrained(out, path.join(root, 'begin.safetensors'));
    expect(imported.tokenizer).toMatchObject({ begin: 258, end: 260, ends: [259] });
  });

  it.each([
    ['RMSNorm with relu', { activation: 'relu' }, /a model with activation relu has no form .*LlamaForCausalLM/],
    ['a mixture', mixture, /parallel true/],
    ['a learned position on Llama', { activation: 'swiglu', positions: 'learned' }, /positions learned/],
  ] as const)('%s is refused by name, and no folder is left', async (name, config, message) => {
    const out = path.join(root, `refused-${name.replaceAll(' ', '-')}`);
    await expect(exportFolder(model(config as object), out)).rejects.toThrow(message);
    expect(() => readFileSync(path.join(out, 'config.json'))).toThrow(/ENOENT/);
  });
});

describe('an adapter', () => {
  const options = { rank: 4, alpha: 8 };
  it('has the names of the family that transformers has', async () => {
    const base = model(families['GPT-J']);
    const out = path.join(root, 'adapter');
    await exportAdapter(
      { base, options, tensors: initialAdapter(base.config, options, seedOf(1)) },
      out,
      'EleutherAI/gpt-j-6b',
    );
    const { tensors } = await readSafetensors(path.join(out, 'adapter_model.safetensors'));
    expect(tensors.size).toBe(3 * 6 * 2);
    expect(tensors.get('base_model.model.transformer.h.2.mlp.fc_in.lora_B.weight')?.shape).toEqual([256, 4]);
    expect(readJson(out, 'adapter_config.json')).toMatchObject({
      ...{ peft_type: 'LORA', r: 4, lora_alpha: 8, base_model_name_or_path: 'EleutherAI/gpt-j-6b' },
      target_modules: ['q_proj', 'k_proj', 'v_proj', 'out_proj', 'fc_in', 'fc_out'],
    });
  });

  it('on GPT-2 is refused: its projections are one matrix there', async () => {
    const base = model(families['GPT-2']);
    const adapter = { base, options, tensors: initialAdapter(base.config, options, seedOf(1)) };
    await expect(exportAdapter(adapter, path.join(root, 'none'), 'gpt2')).rejects.toThrow(/without --adapter/);
  });
});
