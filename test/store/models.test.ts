import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { currentModel, lookOf, promotionsOf } from '../../schemas/models.ts';
import type { ModelEvent } from '../../schemas/models.ts';
import { createLocalStore } from '../../store/local.ts';
import { appendEvent, readEvents, tasksWithModels } from '../../store/models.ts';
import type { Store } from '../../store/store.ts';

const digest = (n: number) => `sha256:${n.toString(16).padStart(64, '0')}`;
const common = (key: string) => ({ format: 1 as const, at: '2026-01-01T00:00:00Z', key, reason: 'a test' });
const entry = (n: number) => ({
  run: `night-${n}`,
  iteration: n,
  recipe: 'star',
  seed: 1,
  parameters: {},
  fingerprint: 'f',
  ledgerDigest: digest(n),
  model: { checkpoint: { digest: digest(n), bytes: 1 }, weightsDigest: digest(n) },
});
const gate = {
  promote: false,
  reason: 'no',
  look: 1,
  level: 0.03,
  margin: 0,
  difference: 0,
  interval: [-0.1, 0.1] as [number, number],
  pairs: 9,
  unjudged: 0,
};
const promoted = (n: number): ModelEvent => ({
  ...common(`p${n}`),
  by: 'gate',
  what: 'promoted',
  entry: entry(n),
  gate: null,
});
const kept = (n: number): ModelEvent => ({ ...common(`k${n}`), by: 'gate', what: 'kept', entry: entry(n), gate });
const back = (to: number | null, n = 0): ModelEvent => ({ ...common(`b${n}`), by: 'person', what: 'rolled-back', to });

let folder: string;
let store: Store;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'startrail-models-'));
  store = await createLocalStore(path.join(folder, 'store'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));
const add = (...events: ModelEvent[]) =>
  events.reduce(async (before, event) => {
    await before;
    await appendEvent(store, 'addition', () => event);
  }, Promise.resolve());

describe('the models of a task', () => {
  it('point to the last promotion; what the gate kept moves nothing; roll-backs lead back step for step', async () => {
    const current = async () => currentModel(await readEvents(store, 'addition'))?.entry.run;
    expect(await current()).toBeUndefined();
    await add(promoted(1), promoted(2), kept(3), promoted(4));
    expect(await current()).toBe('night-4');
    await add(back(2, 1));
    expect(await current()).toBe('night-2');
    expect(promotionsOf(await readEvents(store, 'addition'))).toEqual([1, 2]);
    await add(promoted(5), back(1, 2));
    expect(await current()).toBe('night-1');
    await add(back(null, 3));
    expect(await current()).toBeUndefined();
    expect(await readEvents(store, 'addition'), 'nothing of the history is lost').toHaveLength(8);
    expect(await tasksWithModels(store)).toEqual(['addition']);
  });

  it('ten that promote at once all stand in the history, each once, and a second delivery adds nothing', async () => {
    const numbers = Array.from({ length: 10 }, (_, n) => n);
    await Promise.all(numbers.map((n) => appendEvent(store, 'addition', () => promoted(n))));
    await appendEvent(store, 'addition', () => promoted(3));
    const events = await readEvents(store, 'addition');
    expect(events.map(({ n }) => n)).toEqual(numbers.map((n) => n + 1));
    expect(events.map(({ key }) => key).sort()).toEqual(numbers.map((n) => `p${n}`));
  });

  it('count the looks since the last promotion; a roll-back does not start them anew', async () => {
    const look = async () => lookOf(await readEvents(store, 'addition'));
    expect(await look()).toBe(1);
    await add(promoted(1), kept(2), kept(3));
    expect(await look()).toBe(3);
    await add(back(null));
    expect(await look()).toBe(3);
    await add(promoted(4));
    expect(await look()).toBe(1);
  });

  it('an event that is gone is named, never skipped', async () => {
    await add(promoted(1), promoted(2), promoted(3));
    await store.removeName('models/addition/000002');
    await expect(readEvents(store, 'addition')).rejects.toThrow(/event 2 of the models of addition/);
  });
});
