/**
 * SmolLM2-135M, imported from GGUF, against transformers on the same numbers: what the import dequantised is exported as a
 * folder, which `AutoModelForCausalLM` loads. Skips where the wheel, Python or the network are missing.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, it } from 'vitest';
import { python } from '../../bench/python.ts';
import { Decoder } from '../../engine/tfjs/decoder.ts';
import { exportFolder } from '../../engine/tfjs/export.ts';
import { importPretrained } from '../../engine/tfjs/pretrained/import.ts';
import { readCheckpoint } from '../../engine/tfjs/safetensors.ts';
import { openTokenizer } from '../../engine/tfjs/tokenizer.ts';
import { sentence } from '../../scripts/setup/failure.mjs';
import { provideSmollm2 } from '../../scripts/setup/smollm2.mjs';
import { compare, readSaid, type Said } from './said.ts';

const reason = (error: unknown) => ({ reason: sentence(error) });
const source = await provideSmollm2().catch(reason);
const interpreter = await python(() => {}, ['safetensors']).catch(reason);
const folder = mkdtempSync(path.join(os.tmpdir(), 'smollm2-parity-'));
afterAll(() => rmSync(folder, { recursive: true }));

const TEXTS = [
  'The capital of France is',
  'Once upon a time there was a small dog that',
  'def fibonacci(n):\n    if n < 2:\n        return n\n',
  'Q: A farmer has 12 sheep and buys 7 more. How many sheep does he have?\nA:',
  '<|im_start|>user\nName three colours of the rainbow.<|im_end|>\n<|im_start|>assistant\n',
  'Water boils at 100 degrees Celsius because',
  'SELECT name, age FROM people WHERE',
  'Im Jahr 1871 wurde in Versailles',
  '1, 1, 2, 3, 5, 8, 13,',
  'Dear Sir or Madam,\n\nI am writing to',
  'The mitochondria are',
  '# Shopping list\n- eggs\n- milk\n-',
  'If all roses are flowers and some flowers fade quickly, then',
  '<html>\n<head><title>',
  'The quick brown fox',
  'In 1969, the first humans',
  'def main():\n    print(',
  'Photosynthesis is the process by which',
  'To be, or not to be, that is',
  '12 + 30 = 42\n25 + 17 = 42\n38 + 14 =',
];
const COUNT = 64;
/** Prompts of these lengths go through the reference together: its pass costs the machine more than the tokens. */
const LENGTHS = [4, 8, 12, 16];

const missing = [source, interpreter].find((part) => typeof part !== 'string');
it.skipIf(missing !== undefined)(
  'SmolLM2-135M says what transformers says',
  async () => {
    const [file, hub, stem] = ['model.safetensors', 'hub', 'said'].map((name) => path.join(folder, name)) as [
      string,
      string,
      string,
    ];
    const { weightsDigest } = await importPretrained(source as string, file);
    const model = await readCheckpoint(file);
    await exportFolder(model, hub);
    const again = await importPretrained(hub, path.join(folder, 'again.safetensors'));
    expect(again.weightsDigest).toBe(weightsDigest);

    const tokenizer = openTokenizer(model.tokenizer);
    const prompts = TEXTS.map((text) => {
      const ids = tokenizer.encode(text);
      return ids.slice(
        0,
        LENGTHS.findLast((length) => length <= ids.length),
      );
    });
    writeFileSync(path.join(folder, 'prompts.json'), JSON.stringify({ prompts, count: COUNT }));
    const program = path.join(import.meta.dirname, 'reference.py');
    await promisify(execFile)(interpreter as string, [program, hub, path.join(folder, 'prompts.json'), stem]);
    const said = readSaid<Said & { architecture: string }>(stem);
    expect(said.architecture).toBe('LlamaForCausalLM');

    const decoder = new Decoder(model);
    for (const padded of [16, 40]) {
      const { first, last, tokens, whole } = await compare(decoder, said, stem, padded);
      const figures = [first, last].map((worst) => worst.toExponential(1)).join(' and ');
      console.log(
        `padded to ${padded}: logits differ by at most ${figures}; ${tokens} tokens equal, ${whole} of 20 to the end`,
      );
      expect(first).toBeGreaterThan(0);
      expect(Math.max(first, last)).toBeLessThan(1e-3);
      expect(tokens).toBeGreaterThan(TEXTS.length * 32);
    }
    decoder.close();
  },
  60 * 60_000,
);
