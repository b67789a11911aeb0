/** Fan-out of a stage: the same bytes as without it, a gate that reaches its children, repair inside them. */
import { unlink } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { RunDocument } from '../../schemas/run.ts';
import { leavesOf } from '../../store/manifest.ts';
import { historySizes } from '../support/histories.ts';
import { fileServer } from '../support/file-server.ts';
import { documentOf, smallRun, startRun } from '../support/temporal.ts';

const server = fileServer();
/** 120 problems, one a shard: three blocks of a fan-out. */
const manyShards = () => {
  const small = smallRun({ iterations: 1, shardSize: 1 });
  return { ...small, parameters: { digits: 1 }, set: { ...small.set, 'stages.batch.with.count': 60 } };
};

describe('fan-out', { timeout: 240_000 }, () => {
  it('forced on, every stage with shards goes through children, and ledger and weights have the same digests', async () => {
    const without = await server.bench({ fanOutAbove: 1_000_000 });
    const forced = await server.bench({ fanOutAbove: 0, shardsInFlight: 4 });
    await without.during(async () => (await startRun(without, 'plain', manyShards())).result());
    await forced.during(async () => (await startRun(forced, 'forced', manyShards())).result());
    const [plain, fanned] = await Promise.all([documentOf(without, 'plain'), documentOf(forced, 'forced')]);

    const children = (await historySizes(server.env.client.workflow, 'forced/')).filter(
      ({ type }) => type === 'fanOut',
    );
    expect(new Set(children.map(({ workflowId }) => workflowId))).toEqual(
      new Set(['000/score', '001/free', '001/hinted', '001/score'].map((name) => `forced/iteration-${name}`)),
    );
    expect(fanned.iterations[1]?.shards).toEqual(plain.iterations[1]?.shards);
    expect(fanned.iterations[1]?.accuracy).toEqual(plain.iterations[1]?.accuracy);
    expect(fanned.ledgerDigest).toBe(plain.ledgerDigest);
    expect(fanned.weightsDigest).toBe(plain.weightsDigest);
  });

  it('a pause reaches the children: no shard starts until the run is resumed; stop ends them', async () => {
    const on = await server.bench({ fanOutAbove: 0 });
    await on.during(async () => {
      const handle = await startRun(on, 'paused', manyShards());
      const shards = () => on.spans.filter(({ what, stage }) => what === 'activity' && stage === 'free').length;
      await expect.poll(shards, { timeout: 60_000 }).toBeGreaterThan(2);
      await handle.executeUpdate('pause');
      await new Promise((resolve) => setTimeout(resolve, 3000));
      const held = shards();
      expect(held).toBeLessThan(60);
      await new Promise((resolve) => setTimeout(resolve, 2000));
      expect(shards()).toBe(held);
      await handle.executeUpdate('resume');
      await expect.poll(shards, { timeout: 30_000 }).toBeGreaterThan(held);
      await handle.executeUpdate('stop');
      expect(await handle.result()).toMatchObject({ status: 'stopped' });
    });
  });

  it('a manifest that is gone is put back, and the shard behind it made again', async () => {
    const on = await server.bench({ fanOutAbove: 0 });
    await on.during(async () => (await startRun(on, 'first', manyShards())).result());
    const { examples, judged, ledgerDigest } = (await documentOf(on, 'first'))
      .iterations[1] as RunDocument['iterations'][number];
    const manifest = judged.find((ref) => ref.parts !== undefined);
    const [leaf] = await leavesOf(on.store, manifest ? [manifest] : []);
    expect(leaf, 'there was a manifest').toBeDefined();
    expect(examples).toHaveLength(1);
    for (const ref of [manifest, leaf]) await unlink(await on.store.open(ref?.digest ?? ''));
    await on.during(async () => (await startRun(on, 'second', manyShards())).result());
    const again = await documentOf(on, 'second');
    expect(again.iterations[1]?.ledgerDigest).toBe(ledgerDigest);
    expect(again.iterations[1]?.shards.reused).toBeGreaterThan(50);
    for (const ref of [manifest, leaf]) expect(await on.store.has(ref?.digest ?? '')).toBe(true);
  });
});
