/** Models from the Hub, against a stand-in on the loopback address (test/support/hub-server.ts): the public one is never asked. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openHub } from '../../engine/hub/client.ts';
import { fetchModel, type FetchRequest } from '../../engine/hub/fetch-model.ts';
import { declaredModels, openModels } from '../../engine/models.ts';
import { hubServer, type FakeRepo } from '../support/hub-server.ts';
import { modelFolderAt } from './pretrained-files.ts';

const root = mkdtempSync(path.join(tmpdir(), 'hub-'));
const COMMIT = 'c0ffee'.padEnd(40, '0');
let hub: Awaited<ReturnType<typeof hubServer>>;
let repos: Record<string, FakeRepo>;
let models: string;
const MODEL = 'someone/tiny-llama';

beforeAll(async () => {
  modelFolderAt(path.join(root, 'source'), {});
  const files = Object.fromEntries(
    readdirSync(path.join(root, 'source')).map((name) => [name, readFileSync(path.join(root, 'source', name))]),
  );
  const { 'model.safetensors': weights, ...small } = files;
  const index = { weight_map: { a: 'model-00001-of-00002.safetensors', b: 'model-00002-of-00002.safetensors' } };
  repos = {
    [MODEL]: {
      ...{ commit: COMMIT, license: 'apache-2.0' },
      files: { ...files, LICENSE: 'be kind', 'README.md': '# no', 'pytorch_model.bin': 'no', 'onnx/model.onnx': 'no' },
    },
    'someone/shards': {
      commit: COMMIT,
      files: {
        ...{ ...small, 'model.safetensors.index.json': JSON.stringify(index) },
        ...{ 'model-00001-of-00002.safetensors': weights!.subarray(0, 2_000), 'model-00002-of-00002.safetensors': 'b' },
        ...{ 'model-00003-of-00002.safetensors': 'not in the index' },
      },
    },
    'someone/quantised': { commit: COMMIT, files: { 'a.gguf': 'GGUF a', 'sub/b.gguf': 'GGUF b', 'README.md': '' } },
    'someone/closed': { commit: COMMIT, gated: 'hf_right', files },
    'someone/exotic': { commit: COMMIT, files: { ...files, 'config.json': '{"model_type":"mamba"}' } },
    'someone/bare': { commit: COMMIT, files: { 'config.json': '{}' } },
  };
  hub = await hubServer(repos);
});
afterAll(async () => {
  await hub.close();
  rmSync(root, { recursive: true });
});
beforeEach(() => {
  models = mkdtempSync(path.join(root, 'models-'));
  Object.assign(hub.options, {
    cutAfter: undefined,
    hold: undefined,
    elsewhere: undefined,
    tamper: undefined,
    busy: [],
  });
  hub.reads.length = 0;
});

const get = (name: string, more: Partial<FetchRequest> = {}, token?: string, url = hub.url) =>
  fetchModel(openHub({ url, token }), { name, revision: 'main', models, pauseMs: 1, ...more });
const same = (file: string, place = path.join(models, 'tiny-llama')) =>
  readFileSync(path.join(place, file)).equals(readFileSync(path.join(root, 'source', file)));

describe('a model is fetched', () => {
  it('with what an import reads and nothing else, pinned to its commit', async () => {
    const seen: number[] = [];
    const fetched = await get(MODEL, { onProgress: (_file, done, total) => seen.push(done / total) });
    expect(fetched).toMatchObject({ model: 'tiny-llama', commit: COMMIT, license: 'apache-2.0', fresh: true });
    const place = path.join(models, 'tiny-llama');
    const there = readdirSync(place).sort();
    expect(there).toEqual([...readdirSync(path.join(root, 'source')), 'LICENSE', 'source.json'].sort());
    expect(['config.json', 'tokenizer.json', 'model.safetensors'].every((file) => same(file))).toBe(true);
    const source = JSON.parse(readFileSync(path.join(place, 'source.json'), 'utf8')) as object;
    expect(source).toMatchObject({ source: MODEL, commit: COMMIT, license: 'apache-2.0' });
    expect(seen.at(-1)).toBe(1);
    const opened = await openModels(models);
    expect(opened.names).toEqual(['tiny-llama']);
    expect((await opened.inspect('tiny-llama')).config.dModel).toBe(32);
    // Once more: nothing is read.
    hub.reads.length = 0;
    expect(await get(MODEL)).toMatchObject({ fresh: false, commit: COMMIT });
    expect(hub.reads).toEqual([]);
  });

  it('of several files: those that the index names', async () => {
    const { place } = await get('someone/shards');
    const weights = readdirSync(place).filter((file) => file.endsWith('.safetensors'));
    expect(weights).toEqual(['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors']);
  });

  it('as one GGUF file that is named, under another name too', async () => {
    await expect(get('someone/quantised')).rejects.toThrow(/^ModelUnsupported: .*--file: a\.gguf, sub\/b\.gguf/);
    const { model, place } = await get('someone/quantised', { file: 'sub/b.gguf', as: 'mine' });
    expect([model, readFileSync(place, 'utf8')]).toEqual(['mine', 'GGUF b']);
    expect([...(await declaredModels(models)).keys()]).toEqual(['mine']);
    await expect(get('someone/quantised', { file: 'c.gguf' })).rejects.toThrow(/^ModelNotFound: .*it has a\.gguf/);
  });
});

describe('what is interrupted', () => {
  it('goes on behind the bytes that are there, in the same call', async () => {
    hub.options.cutAfter = 9_000;
    await get(MODEL);
    const froms = hub.reads.filter(({ file }) => file === 'model.safetensors').map(({ from }) => from);
    expect(froms.length).toBeGreaterThan(2);
    expect(froms).toEqual([...froms].sort((a, b) => a - b));
    expect(new Set(froms).size).toBe(froms.length);
    expect(same('model.safetensors')).toBe(true);
  });

  it('goes on in the next call; until then it is no model', async () => {
    hub.options.cutAfter = 9_000;
    const stop = new AbortController();
    const onProgress = (file: string, done: number, total: number) => {
      if (file === 'model.safetensors' && done > total / 2) stop.abort(new Error('killed'));
    };
    await expect(get(MODEL, { signal: stop.signal, onProgress })).rejects.toThrow('killed');
    expect((await declaredModels(models)).size).toBe(0);
    expect(readdirSync(models)).toEqual(['.fetching']);
    const [work] = readdirSync(path.join(models, '.fetching')).map((name) => path.join(models, '.fetching', name));
    expect(existsSync(path.join(work!, 'model.safetensors'))).toBe(false);
    hub.options.cutAfter = undefined;
    hub.reads.length = 0;
    await get(MODEL);
    expect(hub.reads.map(({ file }) => file)).toEqual(['model.safetensors']);
    expect(hub.reads[0]!.from).toBeGreaterThan(0);
    expect(same('model.safetensors')).toBe(true);
    expect(readdirSync(path.join(models, '.fetching'))).toEqual([]);
  });

  it('goes on where a connection says no more', async () => {
    Object.assign(hub.options, { cutAfter: 20_000, hold: true });
    await get(MODEL, { stalledMs: 200 });
    expect(hub.reads.filter(({ file }) => file === 'model.safetensors').map(({ from }) => from)).toContain(20_000);
    expect(same('model.safetensors')).toBe(true);
  });

  it('waits for a busy server, and gives up where it stays busy', async () => {
    hub.options.busy = [503, 429];
    await get(MODEL);
    hub.options.busy = Array<number>(50).fill(503);
    await expect(get('someone/shards')).rejects.toThrow(/^HubUnreachable: .*status 503; try again later/);
  });

  it('that was left damaged is fetched anew', async () => {
    const work = path.join(models, '.fetching', `tiny-llama@${COMMIT}`);
    mkdirSync(work, { recursive: true });
    writeFileSync(path.join(work, 'model.safetensors.part'), 'other bytes');
    await get(MODEL);
    expect(hub.reads.filter(({ file }) => file === 'model.safetensors').map(({ from }) => from)).toEqual([11, 0]);
    expect(same('model.safetensors')).toBe(true);
  });
});

describe('is refused in one sentence with its cure', () => {
  it.each([
    ['an unknown model', 'no/where', {}, undefined, /^ModelNotFound: there is no model no\/where at http.*spelling/],
    [
      'an unknown revision',
      MODEL,
      { revision: 'v9' },
      undefined,
      /^ModelNotFound: .* has no revision v9; name a branch/,
    ],
    ['one with conditions', 'someone/closed', {}, undefined, /^ModelGated: .*accept its terms at http.*HF_TOKEN/],
    ['a token that may not', 'someone/closed', {}, 'hf_wrong', /^ModelGated: .*the one that is set may not/],
    ['an architecture that is not read', 'someone/exotic', {}, undefined, /^ModelUnsupported: .*mamba/],
    ['a repository without a tokenizer', 'someone/bare', {}, undefined, /^ModelUnsupported: .* has no tokenizer\.json/],
    ['a name that leads elsewhere', '../x', {}, undefined, /^InvalidInput: "\.\.\/x" is no model/],
    ['a name for here that leads elsewhere', MODEL, { as: '../x' }, undefined, /^InvalidInput: --as/],
  ] as const)('%s', async (_, name, more, token, message) => {
    const failed = await get(name, more, token).catch((error: Error) => error);
    expect((failed as Error).message).toMatch(message);
    expect((failed as Error).message).not.toContain('hf_');
    expect(await declaredModels(models)).toEqual(new Map());
  });

  it('where nobody answers', async () => {
    const gone = await hubServer({});
    await gone.close();
    await expect(get(MODEL, {}, undefined, gone.url)).rejects.toThrow(/^HubUnreachable: .*ECONNREFUSED.*HF_ENDPOINT/);
  });

  it('bytes that are not those listed, after a second try', async () => {
    hub.options.tamper = (file, bytes) => (file === 'model.safetensors' ? Buffer.alloc(bytes.length, 7) : bytes);
    await expect(get(MODEL)).rejects.toThrow(/^DownloadDamaged: model\.safetensors of .* came twice/);
    hub.options.tamper = (file, bytes) => (file === 'config.json' ? Buffer.alloc(bytes.length, 32) : bytes);
    await expect(get(MODEL, { as: 'two' })).rejects.toThrow(/^DownloadDamaged: config\.json/);
    expect(await declaredModels(models)).toEqual(new Map());
  });

  it('a name that another model has here, and a process that is at it', async () => {
    await get('someone/shards', { as: 'taken' });
    await expect(get(MODEL, { as: 'taken' })).rejects.toThrow(/^ModelExists: .*someone\/shards at c0ffee.*--as/);
    mkdirSync(path.join(models, '.fetching'), { recursive: true });
    const lock = path.join(models, '.fetching', `tiny-llama@${COMMIT}.lock`);
    writeFileSync(lock, String(process.ppid));
    await expect(get(MODEL)).rejects.toThrow(new RegExp(`^FetchUnderWay: process ${process.ppid} `));
    writeFileSync(lock, '999999999');
    await get(MODEL);
  });
});

it('the token is not sent on to where the bytes are', async () => {
  const { commit, files } = repos['someone/closed']!;
  const store = await hubServer({ 'someone/closed': { commit, files } });
  hub.options.elsewhere = store.url;
  await get('someone/closed', {}, 'hf_right');
  expect(hub.reads.length).toBeGreaterThan(0);
  expect(store.reads.map(({ authorization }) => authorization)).toEqual(hub.reads.map(() => undefined));
  await store.close();
});

it('the token opens what has conditions, and stands in no file', async () => {
  expect(() => openHub({ url: hub.url, token: 'secret' })).toThrow(/HF_TOKEN .*must begin with hf_/);
  const { place } = await get('someone/closed', {}, 'hf_right');
  expect(hub.reads.every(({ authorization }) => authorization === 'Bearer hf_right')).toBe(true);
  for (const file of readdirSync(place)) expect(readFileSync(path.join(place, file), 'utf8')).not.toContain('hf_right');
});
