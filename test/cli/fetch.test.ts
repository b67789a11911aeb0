/** `models fetch` as a person starts it, killed in the middle and started again, against a stand-in for the Hub. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { modelFolderAt } from '../engine/pretrained-files.ts';
import { hubServer } from '../support/hub-server.ts';
import { start, until } from './fixture/process.ts';

const root = mkdtempSync(path.join(tmpdir(), 'fetch-'));
const models = path.join(root, 'models');
const COMMIT = 'c0ffee'.padEnd(40, '0');
let hub: Awaited<ReturnType<typeof hubServer>>;
beforeAll(async () => {
  modelFolderAt(path.join(root, 'source'), {});
  const names = readdirSync(path.join(root, 'source'));
  const files = Object.fromEntries(names.map((name) => [name, readFileSync(path.join(root, 'source', name))]));
  hub = await hubServer({ 'someone/tiny': { commit: COMMIT, license: 'mit', gated: 'hf_very_secret', files } });
});
afterAll(async () => {
  await hub.close();
  rmSync(root, { recursive: true });
});
const fetching = (name: string, token = 'hf_very_secret') =>
  start('../../../cli/main.ts', ['models', 'fetch', name, '--json'], {
    ...{
      STARTRAIL_HOME: path.join(root, 'home'),
      STARTRAIL_MODELS: models,
      HF_ENDPOINT: `${hub.url}/`,
      HF_TOKEN: token,
    },
  });

it('goes on after SIGKILL where it was, and says what it fetched; the token is in nothing it says', async () => {
  Object.assign(hub.options, { cutAfter: 15_000, hold: true });
  const killed = fetching('someone/tiny');
  const part = path.join(models, '.fetching', `tiny@${COMMIT}`, 'model.safetensors.part');
  await until('some bytes', 60_000, () => statSync(part, { throwIfNoEntry: false })?.size === 15_000);
  killed.child.kill('SIGKILL');
  await killed.exited;
  hub.options.cutAfter = undefined;
  hub.reads.length = 0;
  const again = fetching('someone/tiny');
  expect(await again.exited, again.err()).toBe(0);
  expect(hub.reads.map(({ file, from }) => [file, from])).toEqual([['model.safetensors', 15_000]]);
  expect(JSON.parse(again.out())).toMatchObject({
    ...{ model: 'tiny', source: 'someone/tiny', commit: COMMIT, license: 'mit', fresh: true },
    place: path.join(models, 'tiny'),
  });
  expect(again.err()).toMatch(/someone\/tiny at c0ffee000000: \d+ files, [\d.]+ KB; licence: mit\n.*--model tiny\n$/);
  expect(again.out() + again.err() + killed.err()).not.toContain('hf_very_secret');
}, 120_000);

it('ends with 2 where the model may not be had, and one JSON document', async () => {
  const told = fetching('someone/tiny', 'hf_wrong');
  expect(await told.exited).toBe(2);
  const { error } = JSON.parse(told.out()) as { error: { code: string; message: string } };
  expect(error.code).toBe('ModelGated');
  expect(told.out() + told.err()).not.toContain('hf_wrong');
}, 60_000);
