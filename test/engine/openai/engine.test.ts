/** What a server may do wrong, and what becomes of the rows: nothing is lost and nothing counts as a wrong answer. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Completion, Engine, SampleRow } from '../../../engine/engine.ts';
import { retryAfter } from '../../../engine/openai/client.ts';
import { serverSeed } from '../../../engine/openai/answer.ts';
import { createOpenAiEngine } from '../../../engine/openai/engine.ts';
import { EngineSettings } from '../../../schemas/engine-settings.ts';
import type { OpenAiSettings } from '../../../schemas/engine-settings.ts';
import { additionPrompt, seedOf } from '../models.ts';
import { openAiServer } from '../../support/openai-server.ts';
import type { Fault, OpenAiServer, OpenAiServerOptions } from '../../support/openai-server.ts';

const model = { path: 'none', digest: 'sha256:none' };
const greedy = { temperature: 0, topP: 1 };
const rowsOf = (count: number): SampleRow[] =>
  Array.from({ length: count }, (_, n) => ({ prompt: additionPrompt(n), seed: seedOf(n), maxNewTokens: 99 }));

let folder: string;
let engines = 0;
beforeAll(() => void (folder = mkdtempSync(path.join(tmpdir(), 'startrail-openai-'))));
afterAll(() => rmSync(folder, { recursive: true }));
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function place(options: OpenAiServerOptions = {}, more: Partial<OpenAiSettings> = {}, key?: string) {
  const server = await openAiServer(options);
  open.push(server);
  return { server, engine: engineOn(server.url, more, key) };
}
function engineOn(baseUrl: string, more: Partial<OpenAiSettings> = {}, key?: string): Engine {
  const settings = EngineSettings.parse({ kind: 'openai', baseUrl, tries: 3, timeoutMs: 2_000, ...more });
  const engine = createOpenAiEngine({
    ...{ name: 'fake', settings: settings as OpenAiSettings, key, pauseMs: 5 },
    folder: path.join(folder, String(++engines)),
  });
  open.push(engine);
  return engine;
}
const ask = (engine: Engine, count = 6) => engine.sample({ model, rows: rowsOf(count), sampling: greedy });
/** Of the request with this row's prompt, always. */
const poison =
  (row: number, fault: Fault): OpenAiServerOptions['fault'] =>
  (_, { prompt }) =>
    prompt === additionPrompt(row) ? fault : undefined;
const unavailable = (sentence: string) => ({
  name: 'EngineError',
  code: 'EngineUnavailable',
  message: expect.stringContaining(sentence) as string,
});

describe('trouble that passes costs a pause', () => {
  it.each<[string, Fault]>([
    ['429', { status: 429 }],
    ['503', { status: 503 }],
    ['500', { status: 500 }],
    ['no JSON', { body: '<html>bad gateway' }],
    ['no completion', { body: '{"choices":[{"finish_reason":"stop"}]}' }],
    ['no choices', { body: '{"choices":[]}' }],
    ['no reason to end', { body: '{"choices":[{"text":"1"}]}' }],
    ['a cut connection', { cut: true }],
    ['silence', { delayMs: 3_000 }],
  ])('%s', async (_, fault) => {
    const { engine: steady } = await place();
    const { engine, server } = await place(
      { fault: (n) => (n === 2 ? fault : undefined) },
      { timeoutMs: fault.delayMs ? 1_500 : 20_000 },
    );
    expect(await ask(engine)).toEqual(await ask(steady));
    expect(server.asked).toHaveLength(7);
  });

  it('a server that asks to be left alone is, by every row', async () => {
    const at: number[] = [];
    const { engine } = await place(
      {
        fault: (n) => {
          at.push(performance.now());
          return n === 2 ? { status: 429, headers: { 'retry-after': '1' } } : undefined;
        },
      },
      { concurrency: 1 },
    );
    await ask(engine);
    const gaps = at.slice(1).map((time, n) => time - at[n]!);
    expect(gaps[1]).toBeGreaterThan(950);
    expect(Math.max(...gaps.filter((_, n) => n !== 1))).toBeLessThan(500);
  });

  it('the wait a server asks for is read as seconds or as a date', () => {
    expect(retryAfter('3')).toBe(3_000);
    expect(retryAfter('Wed, 21 Oct 2026 07:28:10 GMT', Date.parse('Wed, 21 Oct 2026 07:28:00 GMT'))).toBe(10_000);
    expect([retryAfter('soon'), retryAfter(null), retryAfter('-5')]).toEqual([undefined, undefined, undefined]);
    expect(retryAfter('99999')).toBe(600_000);
  });
});

describe('a row that alone cannot be had', () => {
  it.each<[string, Fault, Partial<Completion>]>([
    ['malformed', { body: '{"choices":' }, { finish: 'failed', cause: expect.stringContaining('no JSON') as string }],
    ['empty', { body: '{"choices":[]}' }, { finish: 'failed', cause: expect.stringContaining('no choices') as string }],
    ['cut', { cut: true }, { finish: 'failed', cause: expect.stringContaining('broke inside') as string }],
    ['late', { delayMs: 1_500 }, { finish: 'failed', cause: expect.stringContaining('no answer within') as string }],
    ['refused', { status: 422 }, { finish: 'failed', cause: expect.stringContaining('422') as string }],
    [
      'filtered',
      { body: '{"choices":[{"text":"","finish_reason":"content_filter"}]}' },
      { finish: 'failed', cause: expect.stringContaining('content_filter') as string },
    ],
    [
      'too long',
      { status: 400, body: '{"error":{"message":"maximum context length is 128"}}' },
      { finish: 'overflow' },
    ],
  ])('%s: is told with its cause, and its neighbours are answered', async (_, fault, expected) => {
    const { engine: steady } = await place();
    const { engine } = await place({ fault: poison(2, fault) }, { timeoutMs: fault.delayMs ? 700 : 20_000 });
    const [whole, seen] = [await ask(steady), await ask(engine)];
    expect(seen[2]).toMatchObject({ tokenIds: [], text: '', ...expected });
    expect(seen.toSpliced(2, 1)).toEqual(whole.toSpliced(2, 1));
  });

  it('is told to onCompletion as the others are', async () => {
    const { engine } = await place({ fault: poison(2, { status: 422 }) });
    const told = new Map<number, string>();
    const onCompletion = (row: number, { finish }: Completion) => Promise.resolve(void told.set(row, finish));
    const completions = await engine.sample({ model, rows: rowsOf(6), sampling: greedy }, { onCompletion });
    expect([...told].sort()).toEqual(completions.map(({ finish }, row) => [row, finish]));
  });
});

describe('a server that answers nothing', () => {
  it('is unavailable where nobody listens', async () => {
    const { server, engine } = await place();
    await server.close();
    await expect(ask(engine)).rejects.toMatchObject(unavailable('ECONNREFUSED'));
  });

  it.each<[string, Fault]>([
    ['is too busy for long', { status: 429 }],
    ['is being started', { status: 503 }],
    ['answers no row in time', { delayMs: 1_000 }],
    ['answers no row whole', { body: '{}' }],
  ])('is unavailable where it %s', async (_, fault) => {
    const { engine } = await place({ fault: () => fault }, { timeoutMs: 100, tries: 2, concurrency: 16 });
    await expect(ask(engine, 40)).rejects.toMatchObject(unavailable('engine fake at http://127.0.0.1:'));
  });

  it('is asked once where it refuses the key, and the sentence says what to do', async () => {
    const fault = () => ({ status: 401, body: '{"error":{"message":"Incorrect API key provided: sk-very-secret."}}' });
    const { engine, server } = await place({ fault }, { apiKeyVariable: 'FAKE_KEY', concurrency: 1 }, 'sk-very-secret');
    const error = (await ask(engine).catch((thrown: unknown) => thrown)) as Error;
    expect(error).toMatchObject(
      unavailable('correct baseUrl, model or the key in FAKE_KEY and start the worker again'),
    );
    expect(String(error)).not.toContain('sk-very-secret');
    expect(error.stack).not.toContain('sk-very-secret');
    expect(server.asked).toHaveLength(1);
  });

  it('a key that is not there is named by its variable before anything is asked', async () => {
    const { engine, server } = await place({}, { apiKeyVariable: 'FAKE_KEY' });
    await expect(ask(engine)).rejects.toMatchObject(unavailable('environment variable FAKE_KEY'));
    expect(server.asked).toHaveLength(0);
  });

  it('what it had answered before was told of', async () => {
    const { engine } = await place(
      { fault: (n) => (n > 3 ? { status: 503 } : undefined) },
      { concurrency: 1, tries: 2 },
    );
    const told: number[] = [];
    const onCompletion = (row: number) => Promise.resolve(void told.push(row));
    await expect(engine.sample({ model, rows: rowsOf(6), sampling: greedy }, { onCompletion })).rejects.toThrow('503');
    expect(told).toEqual([0, 1, 2]);
  });
});

describe('what is asked', () => {
  const bodies = async (server: OpenAiServer, engine: Engine, temperature: number) => {
    const request = { model, rows: rowsOf(1), prefix: '1+1=2\n', stop: ['\n\n'] };
    await engine.sample({ ...request, sampling: { temperature, topP: 0.9 } });
    return server.asked.at(-1);
  };

  it('holds the key, and the key is in nothing else', async () => {
    const { server, engine } = await place({}, { apiKeyVariable: 'FAKE_KEY' }, 'sk-very-secret');
    await ask(engine, 1);
    expect(server.headers[0]!.authorization).toBe('Bearer sk-very-secret');
    expect(JSON.stringify([await engine.describe(), server.asked])).not.toContain('sk-very-secret');
  });

  it('is a completion with seed and nucleus, or a greedy one with neither', async () => {
    const { server, engine } = await place();
    const prompt = `1+1=2\n${additionPrompt(0)}`;
    const common = { model: 'base', prompt, max_tokens: 99, stop: ['\n\n'] };
    expect(await bodies(server, engine, 0.7)).toEqual({ ...common, temperature: 0.7, top_p: 0.9, seed: 0 });
    expect(await bodies(server, engine, 0)).toEqual({ ...common, temperature: 0 });
  });

  it('is one message where the settings say chat', async () => {
    const { server, engine } = await place({}, { chat: true, model: 'talker' });
    const messages = [{ role: 'user', content: `1+1=2\n${additionPrompt(0)}` }];
    const common = { model: 'talker', messages, max_tokens: 99, stop: ['\n\n'] };
    expect(await bodies(server, engine, 0)).toEqual({ ...common, temperature: 0 });
    expect((await ask(engine, 1))[0]!.finish).toBe('stop');
  });

  it('is one message where the request is a chat, whatever the settings say', async () => {
    const { server, engine } = await place();
    const request = { model, rows: rowsOf(1), chat: true, sampling: { temperature: 0, topP: 1 } };
    expect((await engine.sample(request))[0]!.finish).toBe('stop');
    const messages = [{ role: 'user', content: additionPrompt(0) }];
    expect(server.asked.at(-1)).toEqual({ model: 'base', messages, max_tokens: 99, temperature: 0 });
  });

  it('holds what the settings add, and the fingerprint names it', async () => {
    const { server, engine } = await place({}, { body: { repeat_penalty: 1, temperature: 9 } });
    expect(await bodies(server, engine, 0)).toMatchObject({ repeat_penalty: 1, temperature: 0 });
    expect(server.canaries[0]).toMatchObject({ repeat_penalty: 1, temperature: 0 });
    expect((await engine.describe()).fingerprint).toContain('; {"repeat_penalty":1,');
  });

  it('never more at once than the settings allow, over all requests', async () => {
    const { server, engine } = await place({ fault: () => ({ delayMs: 5 }) }, { concurrency: 3, tries: 1 });
    server.options.fault = () => ({ delayMs: 5 });
    await Promise.all([ask(engine, 12), ask(engine, 12)]);
    expect(server.mostAtOnce()).toBe(3);
  });

  it('seeds are positive int32 and as many as rows', () => {
    const seeds = Array.from({ length: 1000 }, (_, n) => serverSeed(seedOf(2 ** 32 - 500 + n)));
    expect(seeds.every((seed) => seed >= 0 && seed < 2 ** 31)).toBe(true);
    expect(new Set(seeds).size).toBe(1000);
  });

  it('what a server says behind the first stop text is cut off, more of them than it takes too', async () => {
    const { engine, server } = await place({ answer: () => '12;34\nQ: 5' });
    const stop = ['a', 'b', ';;', '\nQ', ';'];
    const until = async (stop: string[], maxNewTokens = 99) => {
      const rows = rowsOf(1).map((row) => ({ ...row, maxNewTokens }));
      return (await engine.sample({ model, rows, sampling: greedy, stop }))[0];
    };
    expect(await until(stop.slice(0, 4))).toMatchObject({ text: '12;34', finish: 'stop', tokens: 11 });
    expect(await until(stop)).toMatchObject({ text: '12', finish: 'stop' });
    expect(server.asked.at(-1)!.stop).toEqual(stop.slice(0, 4));
    // Cut off by its length behind the stop text, it had ended before.
    expect(await until(stop, 8)).toMatchObject({ text: '12', finish: 'stop' });
    expect(await until(['x'], 8)).toMatchObject({ text: '12;34\nQ:', finish: 'length' });
  });
});

describe('its description', () => {
  it('names the model and the form, never the host; the model is the first the server has unless it is named', async () => {
    const [here, there] = [await place({ models: ['m', 'n'] }), await place({ models: ['m', 'n'] })];
    const description = await here.engine.describe();
    expect(description).toEqual({ name: 'openai', fingerprint: 'openai: m; completions', deterministic: false });
    expect(await there.engine.describe()).toEqual(description);
    const named = engineOn(here.server.url, { model: 'n', chat: true });
    expect((await named.describe()).fingerprint).toBe('openai: n; chat/completions');
  });

  it('waits for a server that is not there yet', async () => {
    const { server, engine } = await place();
    const port = Number(new URL(server.url).port);
    await server.close();
    await expect(engine.describe()).rejects.toMatchObject(unavailable('ECONNREFUSED'));
    open.push(await openAiServer({}, port));
    expect((await engine.describe()).fingerprint).toBe('openai: base; completions');
  });
});
