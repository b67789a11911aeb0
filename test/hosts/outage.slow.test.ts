/**
 * The bucket's server away under a run, frozen for a minute and killed: the run waits and ends with the same digests; a person
 * is told once, in a sentence with the cure.
 */
import { expect, it } from 'vitest';
import { describeCluster } from './cluster.ts';
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../cli/fixture/process.ts';

const SENTENCE =
  /StoreUnreachable[^\n]*s3:\/\/bucket-\d+\/team\/ at http:\/\/127\.0\.0\.1:\d+: cannot [^\n]* Start that server again or mend the network/;
const count = (text: string, word: string) => text.split(word).length - 1;

describeCluster('a run whose S3 server goes away', (cluster) => {
  it('frozen for a minute, then killed and started again: the same digests; told once, with the cure', async () => {
    const [a, b, person] = await cluster().machines(2);
    await Promise.all([a?.startWorker('all'), b?.startWorker('control,sample,verify')]);
    const run = cluster().follow(person, 'outage');
    await until('iteration 1', 240_000, () =>
      cluster()
        .worked('outage')
        .some((shard) => shard.startsWith('1/free')),
    );
    cluster().s3.freeze();
    const show = person?.command('show', 'outage');
    await pause(60_000);
    expect(await show?.ended).toBe(3);
    expect(show?.err().trim().split('\n')).toHaveLength(1);
    expect(show?.err()).toMatch(SENTENCE);
    expect(run.err()).toMatch(SENTENCE);
    expect(count(run.err(), 'StoreUnreachable')).toBe(1);
    cluster().s3.thaw();
    await until('iteration 2', 240_000, () =>
      cluster()
        .worked('outage')
        .some((shard) => shard.startsWith('2/free')),
    );
    expect(run.err()).toContain('the store answers again');

    await cluster().s3.kill();
    await pause(15_000);
    await cluster().s3.start();
    await run.asAlone();
    const all = cluster().worked('outage');
    expect(new Set(all).size).toBe(all.length);
  });

  it('away before a worker starts: the worker says so and ends', async () => {
    const [a] = await cluster().machines(1);
    await cluster().s3.kill();
    await expect(a?.startWorker('all')).rejects.toThrow(SENTENCE);
  });
});
