/** gc beside what is under way or stands for itself: a fan-out that rests, nights and their models. */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import type { RunDocument } from '../../schemas/run.ts';
import { collectGarbage } from '../../store/collect.ts';
import { digestsOf } from '../../store/memo.ts';
import { appendEvent, readEvents } from '../../store/models.ts';
import { age } from '../support/age.ts';
import { fileServer } from '../support/file-server.ts';
import { documentOf, scriptedAdder, smallRun, startRun } from '../support/temporal.ts';

const server = fileServer();

describe('gc', { timeout: 400_000 }, () => {
  it('leaves a paused fan-out its manifests, which nothing but its history names; the run goes on to its end', async () => {
    const inner = scriptedAdder();
    let release: () => void = () => undefined;
    const released = new Promise<void>((done) => (release = done));
    const judged = () => on.spans.filter(({ what, stage }) => what === 'activity' && stage === 'judged').length;
    const engine: Engine = {
      ...inner,
      sample: async (request, control) => {
        if (judged() > 51) await released;
        return inner.sample(request, control);
      },
    };
    const on = await server.bench({ engine, fanOutAbove: 0, shardsInFlight: 4 });
    const small = smallRun({ iterations: 1, shardSize: 1 });
    const set = { ...small.set, 'stages.batch.with.count': 60 };
    await on.during(async () => {
      const handle = await startRun(on, 'resting', { ...small, parameters: { digits: 1 }, set });
      // The first block of fifty shards is joined, the second is under way.
      const fan = server.env.client.workflow.getHandle('resting/iteration-001/free');
      const done = () =>
        fan.query<{ done: number }>('progress').then(
          (progress) => progress.done,
          () => 0,
        );
      await expect.poll(done, { timeout: 200_000, interval: 200 }).toBe(50);
      await handle.executeUpdate('pause');
      await expect.poll(async () => (await documentOf(on, 'resting')).status, { timeout: 20_000 }).toBe('paused');
      await age(on.store);
      const { objects, entries } = await collectGarbage(on.store, { dryRun: false }).finally(release);
      expect({ objects, entries }).toEqual({ objects: [], entries: [] });
      await handle.executeUpdate('resume');
      expect(await handle.result()).toMatchObject({ status: 'done' });
    });
    expect((await documentOf(on, 'resting')).iterations[1]?.drawn).toBe(60);
  });

  it('takes nothing of nights; a model whose run is gone stays with its base for as long as the history names it', async () => {
    const on = await server.bench();
    const adapter = { 'stages.next.with.adapter': { rank: 2, alpha: 4 } };
    const run = smallRun({ iterations: 1, set: { ...smallRun().set, ...adapter } });
    await on.during(() =>
      server.env.client.workflow.execute('nightly', {
        workflowId: 'night-1',
        taskQueue: on.taskQueue,
        args: [{ run }],
      }),
    );
    const [night] = await readEvents(on.store, 'addition');
    expect(night).toMatchObject({ what: expect.stringMatching(/promoted|kept/) as string });
    await age(on.store);
    const whole = await collectGarbage(on.store, { dryRun: true });
    expect({ objects: whole.objects, entries: whole.entries }).toEqual({ objects: [], entries: [] });

    const { iterations, ...document } = await documentOf(on, 'night-1-run');
    const record = iterations[1] as RunDocument['iterations'][number];
    expect(record.model.base, 'the model is an adapter on its base').toBeDefined();
    const { resolved, recipe, seed, fingerprint } = document;
    await appendEvent(on.store, 'addition', () => ({
      format: 1,
      at: new Date().toISOString(),
      by: 'person',
      key: 'by-hand',
      reason: 'a test',
      what: 'promoted',
      entry: {
        run: document.runId,
        iteration: 1,
        recipe,
        seed,
        parameters: resolved?.context.parameters ?? {},
        fingerprint,
        ledgerDigest: record.ledgerDigest,
        model: record.model,
      },
      gate: null,
    }));
    await on.store.removeName('runs/night-1-run');
    await age(on.store);
    const gone = (await collectGarbage(on.store, { dryRun: true })).objects.map(({ digest }) => digest);
    const model = digestsOf(record.model);
    expect(model).toHaveLength(2);
    expect(gone.filter((digest) => model.includes(digest))).toEqual([]);
    expect(gone.length, 'its evaluations are nobody’s now').toBeGreaterThan(0);

    for (const name of await on.store.listNames('models/')) await on.store.removeName(name);
    await age(on.store);
    const all = (await collectGarbage(on.store, { dryRun: true })).objects.map(({ digest }) => digest);
    expect(all).toEqual(expect.arrayContaining(model));
  });
});
