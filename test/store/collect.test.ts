/** gc on a store that a real run, a fork and a replay filled: what may go goes, and nothing that can be reached. */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ReplayResult } from '../../schemas/replay.ts';
import { RunDocument } from '../../schemas/run.ts';
import { collectGarbage } from '../../store/collect.ts';
import { digestsOf } from '../../store/memo.ts';
import { nameFile } from '../../store/local-names.ts';
import { age } from '../support/age.ts';
import { createBench, smallRun, startRun, startServer } from '../support/temporal.ts';
import type { Bench } from '../support/temporal.ts';

let env: TestWorkflowEnvironment;
let on: Bench;

const files = async (folder: string): Promise<string[]> =>
  (await readdir(path.join(on.store.location, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
const run = async (id: string, input: unknown) => {
  await on.during(async () => (await startRun(on, id, input)).result());
  return RunDocument.parse(await on.store.getName(`runs/${id}`));
};
const replay = (id: string, input: object): Promise<ReplayResult> =>
  on.during(async () => {
    const handle = await env.client.workflow.start('starReplay', {
      workflowId: id,
      taskQueue: on.taskQueue,
      args: [input],
    });
    return ReplayResult.parse(await handle.result());
  });
const everything = async () => ({ objects: await files('objects'), names: await files('names') });

let origin: RunDocument;
beforeAll(async () => {
  env = await startServer();
  on = await createBench(env);
  origin = await run('origin', smallRun({ shardSize: 40 }));
}, 400_000);
afterAll(async () => {
  await on.close();
  await env.teardown();
});

describe('gc', { timeout: 400_000 }, () => {
  it('removes nothing of a run; its replay is still answered by the memo alone', async () => {
    // A record that `seal` wrote for the run is reached through its document.
    await age(on.store);
    const before = await everything();
    const { entries, objects } = await collectGarbage(on.store, { dryRun: false });
    expect({ entries, objects }).toEqual({ entries: [], objects: [] });
    expect(await everything()).toEqual(before);
    for (const iteration of [0, 1, 2])
      expect(await replay(`origin/replay-${iteration}-1`, { run: 'origin', iteration })).toMatchObject({
        same: true,
        redone: 0,
      });
  });

  it('removes what a replay with other options left, after a day and not before; a dry run removes nothing', async () => {
    const set = { 'stages.batch.with.count': 30 };
    await replay('origin/replay-1-2', { run: 'origin', iteration: 1, set });
    const full = await everything();
    const young = await collectGarbage(on.store, { dryRun: false });
    expect([...young.entries, ...young.objects]).toEqual([]);
    await age(on.store);
    const shown = await collectGarbage(on.store, { dryRun: true });
    expect(shown.entries.length).toBeGreaterThan(6);
    expect(shown.objects.length).toBeGreaterThan(5);
    expect(await everything()).toEqual(full);
    const done = await collectGarbage(on.store, { dryRun: false });
    expect(done.entries).toEqual(shown.entries);
    expect(done.objects).toEqual(shown.objects);
    expect((await everything()).objects).toHaveLength(full.objects.length - done.objects.length);
    for (const { digest } of done.objects) expect(await on.store.has(digest)).toBe(false);
    expect(await replay('origin/replay-2-2', { run: 'origin', iteration: 2 })).toMatchObject({ same: true, redone: 0 });
  });

  it('keeps what only a fork or a pointer reaches, and lets it go with them', async () => {
    const fork = await run(
      'fork',
      smallRun({ shardSize: 40, set: { 'stages.next.with.learningRate': 0.01 }, fork: { run: 'origin', from: 2 } }),
    );
    const model = fork.iterations[2]?.checkpoint as string;
    await age(on.store);
    expect((await collectGarbage(on.store, { dryRun: true })).objects.map((one) => one.digest)).not.toContain(model);
    await on.store.removeName('runs/fork');
    await on.store.createName('models/addition/000001', {
      format: 1,
      checkpoint: fork.iterations[2]?.model.checkpoint,
    });
    await age(on.store);
    expect((await collectGarbage(on.store, { dryRun: true })).objects.map((one) => one.digest)).not.toContain(model);
    await on.store.removeName('models/addition/000001');
    await age(on.store);
    expect((await collectGarbage(on.store, { dryRun: true })).objects.map((one) => one.digest)).toContain(model);
  });

  it('keeps the unsealed work of a run that waits, and lets it go when the run has ended', async () => {
    // The run as it stood when its first iteration was under way: what is in the memo of the later ones is unsealed work.
    const waiting: RunDocument = {
      ...origin,
      status: 'waiting',
      iterations: origin.iterations.slice(0, 1),
      resolved: { ...(origin.resolved as NonNullable<RunDocument['resolved']>), bundle: 'abc' },
    };
    await on.store.replaceName('runs/origin', waiting);
    await age(on.store);
    const kept = await collectGarbage(on.store, { dryRun: true });
    expect([...kept.reach.bundles], 'and the workflow code it was started with').toEqual(['abc']);
    const lost = new Set(kept.objects.map((one) => one.digest));
    const judged = origin.iterations[2]?.judged.map((ref) => ref.digest) ?? [];
    expect(judged.length).toBeGreaterThan(4);
    expect(judged.filter((digest) => lost.has(digest))).toEqual([]);
    await on.store.replaceName('runs/origin', { ...waiting, status: 'failed' });
    await age(on.store);
    const over = await collectGarbage(on.store, { dryRun: true });
    expect([...over.reach.bundles]).toEqual([]);
    const ended = new Set(over.objects.map((one) => one.digest));
    expect(judged.filter((digest) => ended.has(digest)).length).toBeGreaterThan(2);
    await on.store.replaceName('runs/origin', origin);
  });

  it('what is met again counts as touched: a put of the same bytes, and a look for it', async () => {
    const met = await on.store.put('met again\n');
    const looked = await on.store.put('looked for\n');
    const left = await on.store.put('left alone\n');
    await age(on.store);
    await on.store.put('met again\n');
    await on.store.has(looked.digest);
    const { objects } = await collectGarbage(on.store, { dryRun: false });
    const gone = objects.map((one) => one.digest);
    expect(gone).toContain(left.digest);
    expect(gone).not.toContain(met.digest);
    expect(gone).not.toContain(looked.digest);
    expect((await on.store.read(met.digest)).toString()).toBe('met again\n');
  });

  it('an artifact that is only named in the text of another (a manifest) is kept', async () => {
    const part = await on.store.put('a part\n');
    const manifest = await on.store.put(`{"digest":"${part.digest}","bytes":7}\n`);
    await on.store.createName('pointers/x', { manifest: manifest.digest });
    await age(on.store);
    const { objects } = await collectGarbage(on.store, { dryRun: true });
    expect(digestsOf(objects)).not.toContain(part.digest);
    await on.store.removeName('pointers/x');
    expect(digestsOf((await collectGarbage(on.store, { dryRun: true })).objects)).toContain(part.digest);
  });

  it('a damaged run document stops it: it is no empty root', async () => {
    await age(on.store);
    const before = await everything();
    await on.store.replaceName('runs/odd', { format: 2 });
    await expect(collectGarbage(on.store, { dryRun: false })).rejects.toThrow();
    await on.store.removeName('runs/odd');
    expect(await everything()).toEqual(before);
    expect((await stat(nameFile(on.store.location, 'runs/origin'))).isFile()).toBe(true);
  });
});
