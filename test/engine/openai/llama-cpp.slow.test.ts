/**
 * A real llama.cpp server with a real model (SmolLM2-135M), deployed as docs/howto/engines.md has it: what the openai engine gets from
 * it is what the tfjs engine samples from the same checkpoint.
 *
 * Skips where there is no llama-cpp-python: STARTRAIL_BUILD_LLAMA_CPP=1 compiles it once (scripts/setup/llama-cpp.mjs).
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine, LocalCheckpoint, SampleRequest, SampleRow } from '../../../engine/engine.ts';
import { CanaryRecord } from '../../../engine/openai/canary-records.ts';
import { canaryBody } from '../../../engine/openai/canary.ts';
import { createOpenAiEngine } from '../../../engine/openai/engine.ts';
import { createTfjsEngine } from '../../../engine/tfjs/engine.ts';
import { importPretrained } from '../../../engine/tfjs/pretrained/import.ts';
import { readCheckpoint, weightsDigest, writeCheckpoint } from '../../../engine/tfjs/safetensors.ts';
import { EngineSettings } from '../../../schemas/engine-settings.ts';
import type { OpenAiSettings } from '../../../schemas/engine-settings.ts';
import { sentence } from '../../../scripts/setup/failure.mjs';
import { provideLlamaCpp } from '../../../scripts/setup/llama-cpp.mjs';
import { provideSmollm2 } from '../../../scripts/setup/smollm2.mjs';
import { freePort } from '../../support/free-port.ts';
import { seedOf } from '../models.ts';

const whyNot = (error: unknown) => ({ reason: sentence(error) });
const gguf = await provideSmollm2().catch(whyNot);
const python = typeof gguf === 'string' ? await provideLlamaCpp().catch(whyNot) : gguf;
const here = typeof gguf === 'string' && typeof python === 'string';
if (typeof python !== 'string') console.log(`skipped: ${python.reason}`);
const program = fileURLToPath(new URL('../../../scripts/serve/llama-cpp.py', import.meta.url));

const SHOTS = 'Q: What is 2 + 3?\nA: The answer is 5.\n\nQ: What is 4 + 4?\nA: The answer is 8.\n\n';
const row = (prompt: string, maxNewTokens = 12, n = 1): SampleRow => ({ prompt, seed: seedOf(n), maxNewTokens });
/** As the model's own template has it: a system message of its own comes first. */
const CHAT =
  '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n';

describe.skipIf(!here)('SmolLM2 on a llama.cpp server', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'startrail-llama-'));
  const open: Engine[] = [];
  let base: LocalCheckpoint;
  let other: LocalCheckpoint;
  let baseUrl: string;
  let server: Engine;
  let tfjs: Engine;

  const engine = (name: string, more: Record<string, unknown> = {}): Engine => {
    const body = { repeat_penalty: 1, top_k: 0, min_p: 0 };
    const settings = EngineSettings.parse({ kind: 'openai', baseUrl, concurrency: 1, body, ...more });
    const made = createOpenAiEngine({ name, settings: settings as OpenAiSettings, folder: path.join(folder, name) });
    open.push(made);
    return made;
  };
  const greedy = (rows: SampleRow[], more: Partial<SampleRequest> = {}): SampleRequest => ({
    ...{ model: base, rows, sampling: { temperature: 0, topP: 1 } },
    ...more,
  });
  const texts = async (one: Engine, request: SampleRequest) => (await one.sample(request)).map(({ text }) => text);

  beforeAll(async () => {
    const at = (name: string) => path.join(folder, `${name}.safetensors`);
    base = { path: at('base'), digest: (await importPretrained(gguf as string, at('base'))).weightsDigest };
    const model = await readCheckpoint(base.path);
    // A fine-tune that moved little.
    const norm = [...model.tensors.values()].at(-1)!;
    norm.data.forEach((value, n) => (norm.data[n] = value * (1 + 0.01 * Math.sin(n))));
    await writeCheckpoint(at('other'), model);
    other = { path: at('other'), digest: weightsDigest(model.tensors.values()) };
    const port = await freePort();
    baseUrl = `http://127.0.0.1:${port}/v1`;
    const command = [python as string, program, '--port', String(port), '--n_ctx', '512'];
    server = engine('llama', { deploy: { kind: 'command', format: 'gguf', command, withinMs: 120_000 } });
    tfjs = createTfjsEngine();
    open.push(tfjs);
  }, 300_000);
  afterAll(async () => {
    for (const one of open) await one.close();
    rmSync(folder, { recursive: true });
    // Nobody listens any more.
    if (baseUrl) await expect(fetch(`${baseUrl}/models`)).rejects.toThrow();
  });

  it('says greedily what the tfjs engine says, with examples before the question and without, and again', async () => {
    const asked = [
      greedy([row('The capital of France is'), row('1, 2, 3, 4,'), row('def add(a, b):\n    return')]),
      greedy([row('Q: What is 3 + 3?\nA:'), row('Q: Qué es 5 + 1?\nA:')], { prefix: SHOTS, stop: ['\n\nQ:'] }),
    ];
    for (const request of asked) {
      const [theirs, ours] = [await server.sample(request), await tfjs.sample(request)];
      expect(theirs.map(({ text, finish }) => ({ text, finish }))).toEqual(
        ours.map(({ text, finish }) => ({ text, finish })),
      );
      expect(await texts(server, request)).toEqual(theirs.map(({ text }) => text));
      console.log(JSON.stringify(theirs.map(({ text }) => text)));
    }
  });

  it('cuts at a stop text, at the length, and leaves out what does not fit', async () => {
    const [stopped] = await server.sample(greedy([row('1, 2, 3, 4,', 24)], { stop: [' 7'] }));
    expect(stopped).toMatchObject({ text: ' 5, 6,', finish: 'stop' });
    const [cut, long] = await server.sample(greedy([row('1, 2, 3, 4,', 5), row('one two '.repeat(400))]));
    expect(cut).toMatchObject({ finish: 'length', tokens: 5 });
    expect(long).toMatchObject({ finish: 'overflow', text: '' });
  });

  it('draws other texts for other seeds', async () => {
    const once = (n: number) => row('Once upon a time', 12, n);
    const [a, b, c, again] = await texts(server, {
      ...greedy([1, 2, 3, 1].map(once)),
      sampling: { temperature: 1, topP: 1 },
    });
    expect(new Set([a, b, c]).size).toBe(3);
    // Not promised: sums differ a little by what the server's cache holds of a prompt, and among rare tokens a little is enough.
    console.log(`the same seed again gave ${again === a ? 'the same text' : 'another text'}`);
  });

  it('shows by its log-probabilities which checkpoint it serves', async () => {
    const records = path.join(folder, 'llama', 'canaries');
    const [file, ...more] = readdirSync(records);
    expect(more).toEqual([]);
    const { tokens, jitter } = CanaryRecord.parse(JSON.parse(readFileSync(path.join(records, file!), 'utf8')));
    const { prompt } = canaryBody('', { chat: false, body: {} }) as { prompt: string };
    expect(tokens).toHaveLength(16);
    expect(tokens.join('')).toBe((await texts(tfjs, greedy([row(prompt, 16)])))[0]);
    console.log(`two answers of the same weights differ by ${jitter}`);

    // Somebody's server that nobody gives the new model.
    const left = engine('left', { deploy: { kind: 'fixed' } });
    await left.sample(greedy([row('1, 2, 3, 4,', 2)]));
    await expect(left.sample(greedy([row('1, 2, 3, 4,', 2)], { model: other }))).rejects.toMatchObject({
      code: 'EngineServesOtherModel',
      message: expect.stringContaining(`answers as ${base.digest}`) as string,
    });
    // The same server, given it.
    await server.sample(greedy([row('1, 2, 3, 4,', 2)], { model: other }));
    expect(readdirSync(records)).toHaveLength(2);
    await left.sample(greedy([row('1, 2, 3, 4,', 2)], { model: other }));
    await server.sample(greedy([row('1, 2, 3, 4,', 2)]));
  });

  it('chats by the template of the model', async () => {
    const chat = engine('chat', { chat: true });
    const [said] = await chat.sample(greedy([row('What is the capital of France?', 20)]));
    const [ours] = await tfjs.sample(greedy([row(CHAT, 20)]));
    expect(said).toMatchObject({ text: ours!.text, finish: 'stop' });
  });
});
