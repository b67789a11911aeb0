/**
 * Our reading of a tokenizer against Python's `tokenizers`, which models are trained with: ids and texts of 10,000 lines for each
 * of the pre-tokenizers, over SmolLM2's vocabulary. Needs Python with venv and the network, once; skips where they are not.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { python } from '../../bench/python.ts';
import { openGguf } from '../../engine/tfjs/pretrained/gguf.ts';
import { tokenizerOf } from '../../engine/tfjs/pretrained/gguf-model.ts';
import { openTokenizer } from '../../engine/tfjs/tokenizer.ts';
import { sentence } from '../../scripts/setup/failure.mjs';
import { provideSmollm2 } from '../../scripts/setup/smollm2.mjs';
import { line } from './lines.ts';

const LINES = 10_000;
const reason = (error: unknown) => ({ reason: sentence(error) });
const model = await provideSmollm2().catch(reason);
const interpreter = await python(() => {}).catch(reason);
const folder = mkdtempSync(path.join(os.tmpdir(), 'tokenizers-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Row {
  ids: number[];
  text: string;
}

async function peer(file: string, rows: readonly object[]): Promise<Row[]> {
  const program = fileURLToPath(new URL('ids.py', import.meta.url));
  const child = spawn(interpreter as string, [program, file], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const lines = (await text(child.stdout)).trim().split('\n');
  return lines.map((answer) => JSON.parse(answer) as Row);
}

const missing = [model, interpreter].find((part) => typeof part !== 'string');
describe.skipIf(missing !== undefined)('against Python', () => {
  it.each(['smollm', 'gpt-2', 'qwen2', 'llama-bpe'])('%s: the same ids, and the same text of any ids', async (pre) => {
    const { metadata, close } = openGguf(model as string);
    const spec = tokenizerOf('model', new Map([...metadata, ['tokenizer.ggml.pre', pre]]));
    await close();
    const file = path.join(folder, `${pre}.json`);
    writeFileSync(file, spec.tokenizer);
    const texts = Array.from({ length: LINES }, (_, n) => line(n));
    const theirs = await peer(
      file,
      texts.map((each) => ({ text: each })),
    );
    const tokenizer = openTokenizer(spec);
    const differing = texts.filter((each, n) => tokenizer.encode(each).join() !== theirs[n]!.ids.join());
    expect(differing.map((each) => JSON.stringify(each)).slice(0, 5)).toEqual([]);

    // Ids cut anywhere: characters begin and end in the middle.
    const cut = theirs.map(({ ids }, n) => ({ ids: ids.slice(n % 5, ids.length - (n % 3)) }));
    const printed = await peer(file, cut);
    const misprinted = cut.filter(({ ids }, n) => tokenizer.decode(ids) !== printed[n]!.text);
    expect(misprinted.slice(0, 5)).toEqual([]);
  });
});
