/** Before a row is asked for, the server serves the checkpoint of the request, or nothing is asked at all. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Engine, LocalCheckpoint } from '../../../engine/engine.ts';
import { distance } from '../../../engine/openai/canary.ts';
import { servedName } from '../../../engine/openai/deploy.ts';
import { createOpenAiEngine } from '../../../engine/openai/engine.ts';
import { adapterShapes } from '../../../engine/tfjs/adapter.ts';
import { writeAdapter } from '../../../engine/tfjs/adapter-file.ts';
import type { NamedTensor } from '../../../engine/tfjs/safetensors.ts';
import { EngineSettings } from '../../../schemas/engine-settings.ts';
import type { OpenAiSettings } from '../../../schemas/engine-settings.ts';
import { openAiServer } from '../../support/openai-server.ts';
import type { OpenAiServer } from '../../support/openai-server.ts';
import { additionPrompt, modelFolder, randomModel, seedOf } from '../models.ts';

const program = fileURLToPath(new URL('deployer.mjs', import.meta.url));
const files = modelFolder();
/** Three checkpoints. */
let [a, b, c] = [] as unknown as [LocalCheckpoint, LocalCheckpoint, LocalCheckpoint];
const whole = randomModel({ activation: 'swiglu' }, 1);
beforeAll(async () => {
  a = await files.save(whole, 'a');
  b = await files.save(randomModel({ activation: 'swiglu' }, 2), 'b');
  c = await files.save(randomModel({ activation: 'swiglu' }, 3), 'c');
});
afterAll(() => files.clean());

let server: OpenAiServer;
let folder: string;
const open: Engine[] = [];
beforeEach(async () => {
  server = await openAiServer();
  folder = mkdtempSync(path.join(tmpdir(), 'startrail-deploy-'));
  process.env.DEPLOYER_LOG = path.join(folder, 'log');
});
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
  await server.close();
  rmSync(folder, { recursive: true });
});

function engineWith(more: Record<string, unknown>): Engine {
  const settings = EngineSettings.parse({ kind: 'openai', baseUrl: server.url, tries: 2, ...more }) as OpenAiSettings;
  const engine = createOpenAiEngine({ name: 'fake', settings, folder: path.join(folder, 'engine'), pauseMs: 5 });
  open.push(engine);
  return engine;
}
const command = (how: string) => ({
  deploy: { kind: 'command', command: [process.execPath, program, server.url, how], withinMs: 20_000 },
});
const ask = (engine: Engine, model: LocalCheckpoint, signal?: AbortSignal) => {
  const rows = [0, 1, 2].map((n) => ({ prompt: additionPrompt(n), seed: seedOf(n), maxNewTokens: 9 }));
  return engine.sample({ model, rows, sampling: { temperature: 0, topP: 1 } }, signal ? { signal } : {});
};
const log = () => readFileSync(path.join(folder, 'log'), 'utf8').trim().split('\n');
const starts = (...models: LocalCheckpoint[]) => models.map(({ digest }) => `starts ${servedName(digest)}`);
const other = (sentence: string) => ({
  code: 'EngineServesOtherModel',
  message: expect.stringContaining(sentence) as string,
});

describe('a server that somebody else sees to', () => {
  it('left on old weights: nothing is asked, until it has the new ones', async () => {
    const engine = engineWith({});
    await ask(engine, a);
    const asked = server.asked.length;
    await expect(ask(engine, b)).rejects.toMatchObject(other(`is to serve ${b.digest} and answers as ${a.digest}`));
    expect(server.asked).toHaveLength(asked);
    server.options.weights = 'second';
    await ask(engine, b);
    await expect(ask(engine, a)).rejects.toMatchObject(other(`is to serve ${a.digest} and answers as ${b.digest}`));
  });

  it('left on old weights while the worker was started again', async () => {
    await ask(engineWith({}), a);
    await expect(ask(engineWith({}), b)).rejects.toMatchObject(other(`answers as ${a.digest}; load the new model`));
    await ask(engineWith({}), a);
  });

  it('changed between two requests', async () => {
    const engine = engineWith({});
    await ask(engine, a);
    server.options.weights = 'strange';
    await expect(ask(engine, a)).rejects.toMatchObject(other('answers as no checkpoint that it was given'));
    server.options.weights = 'first';
    await ask(engine, a);
  });

  it('is known again though its sums differ a little, with chat too', async () => {
    const engine = engineWith({ chat: true });
    server.options.jitter = (n) => n * 0.003;
    for (let n = 0; n < 3; n++) await ask(engine, a);
    server.options.jitter = () => 0.05;
    await expect(ask(engine, a)).rejects.toMatchObject(other('no checkpoint'));
  });

  it('that nothing can be told of is refused, unless it is to be taken at its word', async () => {
    server.options.jitter = (n) => n;
    await expect(ask(engineWith({}), a)).rejects.toMatchObject({
      code: 'EngineUnavailable',
      message: expect.stringContaining('1.00 apart') as string,
    });
    const count = server.canaries.length;
    await ask(engineWith({ canary: false }), a);
    expect(server.canaries).toHaveLength(count);
  });
});

describe('a program that deploys', () => {
  it.each(['ends', 'stays'])('serves what is asked for, once for each change (%s)', async (how) => {
    const engine = engineWith(command(how));
    for (const model of [a, a, b, b, a]) await ask(engine, model);
    expect(log().filter((line) => line.startsWith('starts'))).toEqual(starts(a, b, a));
    const names = [a, a, b, b, a].flatMap(({ digest }) => Array.from({ length: 3 }, () => servedName(digest)));
    expect(server.asked.map(({ model }) => model)).toEqual(names);
    expect(readdirSync(path.join(folder, 'engine', 'models'))).toEqual([servedName(a.digest)]);
    expect((await engine.describe()).fingerprint).toBe('openai: deployed by command; completions');
  });

  it('that is the server itself ends before the next starts, and with the engine', async () => {
    const engine = engineWith(command('stays'));
    await ask(engine, a);
    await ask(engine, b);
    await engine.close();
    const [nameA, nameB] = [servedName(a.digest), servedName(b.digest)];
    expect(log()).toEqual([`starts ${nameA}`, `ends ${nameA}`, `starts ${nameB}`, `ends ${nameB}`]);
  });

  it('that leaves the server on old weights is found out, after a restart of the worker too', async () => {
    await ask(engineWith(command('ends')), a);
    const asked = server.asked.length;
    await expect(ask(engineWith(command('forgets')), b)).rejects.toMatchObject(
      other(`answers as ${a.digest}; look why`),
    );
    await expect(ask(engineWith(command('forgets')), b)).rejects.toMatchObject(other(`answers as ${a.digest}`));
    expect(server.asked).toHaveLength(asked);
  });

  it('runs again where others deployed in between, and where the server came back with what it began with', async () => {
    const [one, two] = [engineWith(command('ends')), engineWith(command('ends'))];
    await ask(one, a);
    await ask(two, b);
    await ask(one, a);
    server.options.weights = 'first';
    await ask(one, a);
    expect(log()).toEqual(starts(a, b, a, a));
  });

  it('that fails or says nothing is named with its last words', async () => {
    const died = (sentence: string) => ({ code: 'EngineDied', message: expect.stringContaining(sentence) as string });
    await expect(ask(engineWith(command('fails')), a)).rejects.toMatchObject(
      died('exit code 3; its last words: no card'),
    );
    await expect(ask(engineWith(command('mute')), a)).rejects.toMatchObject(died('without saying what is served'));
    expect(server.asked).toHaveLength(0);
  });

  it('no row of one model is asked while another is served', async () => {
    const engine = engineWith(command('ends'));
    server.options.fault = () => ({ delayMs: 20 });
    await Promise.all([a, b, a, c, b].map((model) => ask(engine, model)));
    const runs = server.asked.map(({ model }) => model).filter((name, at, all) => name !== all[at - 1]);
    expect(runs).toEqual([a, b, a, c, b].map(({ digest }) => servedName(digest)));
    expect(server.asked).toHaveLength(15);
  });

  it('one who gives up waiting holds up nobody', async () => {
    const engine = engineWith(command('ends'));
    server.options.fault = () => ({ delayMs: 300 });
    const stop = new AbortController();
    const first = ask(engine, a);
    const second = ask(engine, b, stop.signal);
    const third = ask(engine, a);
    setTimeout(() => stop.abort(new Error('enough')), 50);
    await expect(second).rejects.toThrow('enough');
    await first;
    await third;
    expect(server.asked).toHaveLength(6);
  });
});

describe('adapters', () => {
  const adapterOf = async (name: string, value: number): Promise<LocalCheckpoint> => {
    const options = { rank: 2, alpha: 4 };
    const tensors = new Map(
      adapterShapes(whole.config, options).map(({ name, shape }): [string, NamedTensor] => {
        const data = new Float32Array(shape[0]! * shape[1]!).fill(value);
        return [name, { name, shape: [...shape], data }];
      }),
    );
    const file = path.join(files.folder, `${name}.safetensors`);
    return { path: file, digest: await writeAdapter(file, { options, base: whole, tensors }), base: a };
  };

  it('are loaded beside the base, the one before is unloaded, and a server that lost them is given them again', async () => {
    const [one, two] = [await adapterOf('one', 0.1), await adapterOf('two', 0.2)];
    server.options.lora = true;
    const engine = engineWith({ deploy: { kind: 'adapter', folder: path.join(folder, 'shared') } });
    await ask(engine, a);
    expect(server.asked.at(-1)!.model).toBe('base');
    await ask(engine, one);
    await ask(engine, two);
    expect(server.asked.at(-1)!.model).toBe(servedName(two.digest));
    expect([...server.adapters.keys()]).toEqual([servedName(two.digest)]);
    const config = path.join(server.adapters.get(servedName(two.digest))!, 'adapter_config.json');
    expect(JSON.parse(readFileSync(config, 'utf8'))).toMatchObject({ peft_type: 'LORA', r: 2, lora_alpha: 4 });
    server.adapters.clear();
    await ask(engine, two);
    expect([...server.adapters.keys()]).toEqual([servedName(two.digest)]);
  });

  it('whose name stands for an older one are found out', async () => {
    const [one, two] = [await adapterOf('one', 0.1), await adapterOf('two', 0.2)];
    server.options.lora = true;
    const engine = engineWith({ deploy: { kind: 'adapter' } });
    await ask(engine, one);
    const old = path.join(folder, 'old');
    cpSync(server.adapters.get(servedName(one.digest))!, old, { recursive: true });
    server.adapters.set(servedName(two.digest), old);
    await expect(ask(engine, two)).rejects.toMatchObject(other(`answers as ${one.digest}`));
  });
});

describe('how far two canaries are apart', () => {
  const canary = (text: string, ...logProbabilities: number[]) => ({ tokens: [...text], logProbabilities });
  it.each([
    ['the same', canary('ab', -1, -2), canary('ab', -1, -2), 0],
    ['a little', canary('ab', -1, -2), canary('ab', -1, -2.5), 0.5],
    ['a tie that rounding broke', canary('abc', -1, -2, -9), canary('axz', -1, -2, -1), 0],
    ['another beginning', canary('ab', -1, -2), canary('xb', -4, -2), 3],
    ['one that ends early', canary('ab', -1, -2), canary('a', -1), Infinity],
  ])('%s', (_, one, two, expected) => {
    expect(distance(one, two)).toBe(expected);
    expect(distance(two, one)).toBe(expected);
  });
});
