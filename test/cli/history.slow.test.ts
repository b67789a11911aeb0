/** What runs left, gone on from by the real program with the real engine: replayed, done afresh, forked; and an open run on its own code. */
import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readRun, writeRun } from '../../cli/document.ts';
import { homePaths } from '../../cli/home.ts';
import { openStore } from '../../cli/parts.ts';
import { findByCommand } from '../../cli/process-identity.ts';
import { ReplayResult } from '../../schemas/replay.ts';
import type { RunDocument } from '../../schemas/run.ts';
import { stagesDone } from '../support/counting-adder.ts';
import { REAL_RUN, setWords } from '../support/real-run.ts';
import { cleanUp, start, tempHome, until } from './fixture/process.ts';
import type { Running } from './fixture/process.ts';

const SMALL = [
  ...['--shard-size', '15'],
  ...setWords({ ...REAL_RUN, 'base.steps.first': 300, 'stages.next.with.steps.first': 100 }),
];

let home: string;
/** The free samples, four shards, run in a fan-out child; what has fewer shards does not. */
const program = (...words: string[]): Running =>
  start('../../../cli/main.ts', words, { STARTRAIL_HOME: home, STARTRAIL_FAN_OUT_ABOVE: '3' });
async function json<T>(...words: string[]): Promise<T> {
  const running = program(...words, '--json');
  expect(await running.exited, running.err()).toBe(0);
  return JSON.parse(running.out()) as T;
}
const replay = async (run: string, iteration: number, ...more: string[]) => {
  const from = Date.now();
  const result = ReplayResult.parse(await json('replay', run, '--iteration', String(iteration), ...more));
  return { result, seconds: (Date.now() - from) / 1000 };
};
const documentOf = async (run: string) => (await readRun(await openStore(home), run)) as RunDocument;

let document: RunDocument;
beforeAll(async () => {
  home = tempHome();
  await json('run', 'addition', '--run-id', 'real', '--iterations', '2', ...SMALL);
  document = await documentOf('real');
}, 600_000);
afterAll(cleanUp, 60_000);

describe('with the real engine', () => {
  test('an iteration, with its fan-out, is answered by the memo: no shard is done and every digest is the recorded one', async () => {
    const record = document.iterations[2] as RunDocument['iterations'][number];
    expect(
      record.judged.some((ref) => ref.parts !== undefined),
      'there are manifests',
    ).toBe(true);
    const { result } = await replay('real', 2);
    expect(result).toMatchObject({ same: true, redone: 0, reused: record.shards.redone + record.shards.reused });
    expect(result.replayed).toEqual({ ledgerDigest: record.ledgerDigest, weightsDigest: record.weightsDigest });
  });

  test.each([0, 2])('--fresh does iteration %i again, base and training too, and every digest agrees', async (n) => {
    const { result } = await replay('real', n, '--fresh');
    expect(result).toMatchObject({ same: true, reused: 0, firstDifference: null });
    expect(result.compared).toEqual({ equal: result.redone, different: 0, unknown: 0 });
    expect(result.replayed).toEqual(result.recorded);
    expect(result.redone).toBeGreaterThan(n === 0 ? 2 : 10);
  });

  test('a fork that trains an adapter instead does training and evaluation again, nothing else; its --fresh agrees', async () => {
    const set = ['--set', 'stages.next.with.adapter={"rank":4,"alpha":8}'];
    await json('fork', 'real', '--from', '2', '--run-id', 'lora', ...set);
    const fork = await documentOf('lora');
    const record = fork.iterations[2] as RunDocument['iterations'][number];
    expect(fork.iterations.slice(0, 2)).toEqual(document.iterations.slice(0, 2));
    expect(stagesDone(record.stages ?? {})).toEqual(['next', 'score']);
    const { reused, redone } = record.shards;
    const { next, score } = record.stages ?? {};
    expect(redone).toBe(1 + (score?.redone ?? 0));
    expect(next).toEqual({ reused: 0, redone: 1 });
    expect(reused + redone).toBe(
      (document.iterations[2]?.shards.reused ?? 0) + (document.iterations[2]?.shards.redone ?? 0),
    );
    expect(record.ledgerDigest).toBe(document.iterations[2]?.ledgerDigest);
    expect(record.model.base?.checkpoint.digest).toBe(document.iterations[0]?.checkpoint);
    const { result } = await replay('lora', 2, '--fresh');
    expect(result).toMatchObject({ same: true, compared: { different: 0, unknown: 0 } });
  });
});

test('an open run goes on with the workflow code that it was started with, which its home has kept', async () => {
  const run = program('run', 'addition', '--run-id', 'open', '--iterations', '2', '--seed', '2', ...SMALL);
  await until('iteration 0', 300_000, () => run.out().includes('iteration 0 sealed'));
  run.child.kill('SIGINT');
  expect(await run.exited).toBe(130);
  const store = await openStore(home);
  const left = await documentOf('open');
  const { resolved } = left;
  if (!resolved?.bundle) throw new Error('the run does not name its code');
  // As after an upgrade: the code that the run names is not what this checkout would bundle.
  const { bundles } = homePaths(home);
  copyFileSync(path.join(bundles, `${resolved.bundle}.js`), path.join(bundles, 'before-upgrade.js'));
  await writeRun(store, { ...left, resolved: { ...resolved, bundle: 'before-upgrade' } });
  const watch = program('watch', 'open', '--started-code', '--json');
  await until('its worker', 60_000, () => findByCommand('--bundle before-upgrade').length > 0);
  expect(await watch.exited, watch.err()).toBe(0);
  expect(JSON.parse(watch.out())).toMatchObject({ status: 'done', iterations: [{ n: 0 }, { n: 1 }, { n: 2 }] });
});
