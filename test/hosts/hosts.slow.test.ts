/**
 * Several machines, one run: workers in homes of their own, one Temporal server, one bucket, no shared disk. Whatever happens to a
 * machine, a run gives the digests it has on one undisturbed machine with a store in its home.
 */
import { expect, it } from 'vitest';
import { describeCluster } from './cluster.ts';
import { until } from '../cli/fixture/process.ts';
import type { Host } from './host.ts';

describeCluster('a run on several machines', (cluster) => {
  const underWay = (run: string, stage: string, of: (run: string) => string[]) =>
    until(`${stage} of ${run}`, 240_000, () => of(run).some((shard) => shard.startsWith(stage)));
  const nothingTwice = (run: string) => {
    const all = cluster().worked(run);
    expect(new Set(all).size).toBe(all.length);
  };

  it('whoever starts a run where no worker takes its work is told which roles are lacking, and how to start them', () => {
    expect(cluster().toldWithoutWorkers).toMatch(
      /takes the work of control, sample, verify, train; start one: .* --role control,/,
    );
  });

  it('each stage on the machine of its role: one trains, another samples and judges', async () => {
    const [control, train, sample, person] = await cluster().machines(3);
    await Promise.all([
      control?.startWorker('control'),
      train?.startWorker('train'),
      sample?.startWorker('sample,verify', { STARTRAIL_CONCURRENCY: 'sample=1,verify=3' }),
    ]);
    await cluster().follow(person, 'roles').asAlone();
    const stagesOf = (host: Host | undefined) =>
      [...new Set(host?.shardsDone('roles').map(({ shard }) => shard.split('/')[1]))].sort();
    expect(stagesOf(control)).toEqual(['batch', 'kept']);
    expect(stagesOf(train)).toEqual(['base', 'next']);
    expect(stagesOf(sample)).toEqual(['free', 'hinted', 'judged', 'score', 'second']);
  });

  it('one machine loses its power in the middle: the other finishes, and works nothing twice', async () => {
    const [a, b, person] = await cluster().machines(2);
    await Promise.all([a?.startWorker('all'), b?.startWorker('all')]);
    const run = cluster().follow(person, 'power');
    await underWay('power', '1/free', () => a?.shardsDone('power').map(({ shard }) => shard) ?? []);
    await a?.cutPower();
    const before = b?.shardsDone('power').length ?? 0;
    await run.asAlone();
    expect(b?.shardsDone('power').length).toBeGreaterThan(before);
    nothingTwice('power');
  });

  it.each([
    { run: 'sampling', stage: '1/free', graceMs: 2_000, least: 0, most: 4 },
    { run: 'training', stage: '1/kept', graceMs: 50, least: 1, most: 1 },
    { run: 'patient', stage: '1/kept', graceMs: 90_000, least: 0, most: 0 },
  ])(
    'a worker that is told to end ($run, $graceMs ms of grace) loses $least to $most attempts and leaves nothing behind',
    async ({ run, stage, graceMs, least, most }) => {
      const [a, b, person] = await cluster().machines(2);
      const grace = { STARTRAIL_SHUTDOWN_GRACE_MS: String(graceMs) };
      // Only one of them trains, so that a fine-tune is in the hands of the one that is told to end.
      await Promise.all([a?.startWorker('all', grace), b?.startWorker('control,sample,verify')]);
      const followed = cluster().follow(person, run);
      await underWay(run, stage, cluster().worked);
      if (stage === '1/kept') await until('a snapshot of the fine-tune', 60_000, () => a?.trainsNow());
      const { code, seconds, left } = (await a?.endWorker()) ?? {};
      expect({ code, left }).toEqual({ code: 0, left: 0 });
      // Grace, 4 s until work that does not listen is cut off, and a busy machine.
      expect(seconds).toBeLessThan(graceMs / 1000 + 15);
      await a?.startWorker('train');
      await followed.asAlone();
      nothingTwice(run);
      // At most what was in hand: two shards of a stage at once, and stages that follow each other overlap.
      const lost = await cluster().attemptsLost(run);
      expect(lost).toBeGreaterThanOrEqual(least);
      expect(lost).toBeLessThanOrEqual(most);
    },
  );
});
