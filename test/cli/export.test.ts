/** export model, export dataset: from the store alone, nothing is started. */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { writeRun } from '../../cli/document.ts';
import { prepareHome } from '../../cli/home.ts';
import { openStore } from '../../cli/parts.ts';
import { adaptedDigest, writeAdapter } from '../../engine/tfjs/adapter-file.ts';
import { initialAdapter } from '../../engine/tfjs/adapter.ts';
import { readSafetensors, weightsDigest, writeCheckpoint } from '../../engine/tfjs/safetensors.ts';
import type { Model } from '../../schemas/checkpoint.ts';
import { RunInput } from '../../schemas/run.ts';
import { writeRows } from '../../store/rows.ts';
import { randomModel, seedOf } from '../engine/models.ts';
import { fakeDocument } from './fixture/document.ts';
import { inProcess } from './fixture/in-process.ts';
import { tempHome } from './fixture/process.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

const small = { dModel: 16, layers: 1, dFF: 16 } as const;
const swiglu = randomModel({ ...small, activation: 'swiglu' }, 1);
const options = { rank: 2, alpha: 4 };
const rows = ['seed', 'free', 'free', 'hinted'].map((origin, n) => ({
  ...{ problem: `p${n}`, identity: `i${n}`, prompt: `${n}+1=`, completion: `${n + 1}`, origin },
}));

/** Run `one`: iteration 0 a whole model that transformers has, 1 an adapter on it, 2 (the best) one that it has not. */
async function home(): Promise<string> {
  const at = tempHome();
  prepareHome(at);
  const store = await openStore(at);
  const stored = async (name: string, write: (file: string) => Promise<unknown>) => {
    const file = path.join(await store.scratch(name), 'model.safetensors');
    await write(file);
    return store.adopt(file);
  };
  const digest = weightsDigest(swiglu.tensors.values());
  const whole: Model = {
    checkpoint: await stored('whole', (file) => writeCheckpoint(file, swiglu)),
    weightsDigest: digest,
  };
  const factors = initialAdapter(swiglu.config, options, seedOf(3));
  const adapted: Model = {
    checkpoint: await stored('adapter', (file) => writeAdapter(file, { options, base: swiglu, tensors: factors })),
    weightsDigest: adaptedDigest(weightsDigest(factors.values()), digest),
    base: whole,
  };
  const relu = randomModel({ ...small, activation: 'relu' }, 2);
  const strange: Model = {
    checkpoint: await stored('relu', (file) => writeCheckpoint(file, relu)),
    weightsDigest: weightsDigest(relu.tensors.values()),
  };
  const document = fakeDocument('one', RunInput.parse({ recipe: 'star', task: 'addition' }), 'done', null, 2);
  const examples = [await writeRows(store, rows)];
  const models = [whole, adapted, strange];
  await writeRun(store, {
    ...document,
    iterations: document.iterations.map((record, n) => ({ ...record, model: models[n]!, examples })),
  });
  await writeRun(store, fakeDocument('none', RunInput.parse({ recipe: 'star', task: 'addition' }), 'failed', 'x', -1));
  return at;
}
const errorOf = (out: string) => (JSON.parse(out) as { error: { code: string; message: string } }).error;

describe('export', () => {
  it('writes the model of an iteration, the adapter merged or alone', async () => {
    const at = await home();
    const out = (name: string) => path.join(at, 'out', name);
    const told = await inProcess(at, ['export', 'model', 'one', out('whole'), '--iteration', '0', '--json']);
    expect(JSON.parse(told.out)).toMatchObject({ iteration: 0, kind: 'model', folder: out('whole') });
    const { tensors } = await readSafetensors(path.join(out('whole'), 'model.safetensors'));
    expect(tensors.get('model.norm.weight')?.data).toEqual(swiglu.tensors.get('model.norm.weight')?.data);
    expect(JSON.parse(readFileSync(path.join(out('whole'), 'config.json'), 'utf8'))).toMatchObject({
      model_type: 'llama',
    });

    await inProcess(at, ['export', 'model', 'one', out('merged'), '--iteration', '1']);
    expect(readdirSync(out('merged')).sort()).toEqual(readdirSync(out('whole')).sort());
    await inProcess(at, ['export', 'model', 'one', out('adapter'), '--iteration', '1', '--adapter']);
    expect(readdirSync(out('adapter')).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
    expect(readdirSync(path.join(at, 'out')).sort(), 'nothing unfinished is left').toEqual([
      'adapter',
      'merged',
      'whole',
    ]);
  });

  it('writes the training rows of the best iteration, with a card', async () => {
    const at = await home();
    const folder = path.join(at, 'rows');
    const told = await inProcess(at, ['export', 'dataset', 'one', folder, '--json']);
    expect(JSON.parse(told.out)).toEqual({ runId: 'one', iteration: 2, rows: 4, folder });
    const lines = readFileSync(path.join(folder, 'train.jsonl'), 'utf8').trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(rows);
    expect(readFileSync(path.join(folder, 'README.md'), 'utf8')).toMatch(
      /\| free \| 2 \|\n\| hinted \| 1 \|\n\| seed \| 1 \|/,
    );
  });

  it.each([
    ['model nobody out', 'UnknownRun', 'nobody'],
    ['model one out --iteration 7', 'UnknownIteration', 'it has 0, 1, 2'],
    ['dataset none out', 'UnknownIteration', 'no sealed iteration yet'],
    ['model one there', 'FolderExists', 'there'],
    ['dataset one there', 'FolderExists', 'there'],
    ['model one out --iteration 0 --adapter', 'NoAdapter', 'leave --adapter out'],
    ['model one out', 'CheckpointInvalid', 'activation relu'],
    ['model one', 'Usage', 'folder'],
  ])('%s is told with exit 2, and leaves nothing', async (words, code, part) => {
    const at = await home();
    mkdirSync(path.join(at, 'there'));
    const named = words.split(' ').map((word) => (['out', 'there'].includes(word) ? path.join(at, word) : word));
    const told = await inProcess(at, ['export', ...named, '--json']);
    expect(errorOf(told.out)).toMatchObject({ code, message: expect.stringContaining(part) as string });
    expect(told.code).toBe(2);
    expect(existsSync(path.join(at, 'out'))).toBe(false);
    expect(readdirSync(at).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});
