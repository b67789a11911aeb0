/**
 * Several machines, one run: workers in homes of their own, one Temporal server, one bucket, no shared disk. Whatever happens to a
 * machine, a run gives the digests it has on one undisturbed machine with a store in its home.
 */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { RunDocument } from '../../schemas/run.ts';
import { findS3Server, S3Server } from '../support/s3-server.ts';
import { startServer } from '../support/temporal.ts';
import { Host, pause, until } from './host.ts';

/** Small, with every outcome of a sample in its ledgers, several shards a stage, and snapshots inside each fine-tune. */
const RUN = {
  'parameters.digits': 1,
  'model.dModel': 32,
  'model.layers': 1,
  'model.heads': 2,
  'model.dFF': 64,
  'model.context': 64,
  'base.steps.first': 600,
  'base.learningRate': 0.001,
  'base.warmupSteps': 20,
  'base.batchSize': 16,
  'stages.batch.with.count': 60,
  'stages.next.with.steps.first': 800,
  'stages.next.with.learningRate': 0.0005,
  'stages.next.with.warmupSteps': 20,
  'stages.next.with.batchSize': 16,
};
const WORDS = ['run', 'addition', '--iterations', '2', '--shard-size', '15', '--seed', '5', '--json'];
const SETTINGS = Object.entries(RUN).flatMap(([name, value]) => ['--set', `${name}=${value}`]);

const found = await findS3Server();
if (found.reason !== undefined) console.warn(found.reason);

describe.skipIf(found.program === undefined)('a run on several machines', () => {
  const s3 = new S3Server(found.program ?? '');
  let env: TestWorkflowEnvironment;
  let address: string;
  let alone: Host;
  let reference: RunDocument;
  let hosts: Host[] = [];

  beforeAll(async () => {
    [env] = await Promise.all([startServer(), s3.start()]);
    address = env.address;
    alone = new Host(address);
    await alone.startWorker('all');
    const command = alone.command(...WORDS, '--run-id', 'alone', ...SETTINGS);
    expect(await command.ended, command.err()).toBe(0);
    reference = JSON.parse(command.out()) as RunDocument;
    // A run in which nothing is accepted would be equal to itself however it was treated.
    for (const { ledger } of reference.iterations.slice(1))
      expect(Math.min(ledger.acceptedFree, ledger.acceptedHinted, ledger.rejected)).toBeGreaterThan(0);
    await alone.endWorker();
  }, 300_000);
  afterEach(() => {
    for (const host of hosts) host.close();
    hosts = [];
  });
  afterAll(async () => {
    alone?.close();
    await s3.close();
    await env?.teardown();
  });

  /** Machines that share one new bucket; the last has no worker: a person sits at it. */
  const machines = async (count: number): Promise<Host[]> => {
    const place = { ...(await s3.bucket()), prefix: 'team/' };
    hosts = Array.from({ length: count + 1 }, () => new Host(address, place).useBundleOf(alone));
    return hosts;
  };
  const follow = (person: Host | undefined, run: string) => {
    const command = (person as Host).command(...WORDS, '--run-id', run, ...SETTINGS);
    const asAlone = async () => {
      expect(await command.ended, command.err()).toBe(0);
      const { ledgerDigest, weightsDigest } = JSON.parse(command.out()) as RunDocument;
      expect({ ledgerDigest, weightsDigest }).toEqual({
        ledgerDigest: reference.ledgerDigest,
        weightsDigest: reference.weightsDigest,
      });
    };
    return { ...command, asAlone };
  };
  /** Shards of a run that were worked to their end, by any machine. */
  const worked = (run: string) =>
    hosts.flatMap((host) => host.shardsDone(run).filter(({ reused }) => !reused)).map(({ shard }) => shard);
  /** The run is under way in iteration 1, and this host has had its part in it. */
  const inTheMiddle = (host: Host | undefined, run: string, stage: string) =>
    until(`${run} in ${stage}`, 240_000, () => host?.shardsDone(run).some(({ shard }) => shard.startsWith(stage)));
  /** Attempts beyond the first, of all activities. */
  const attemptsLost = async (run: string): Promise<number> => {
    let lost = 0;
    for await (const { workflowId, runId } of env.client.workflow.list({ query: `WorkflowId STARTS_WITH "${run}"` }))
      for (const event of (await env.client.workflow.getHandle(workflowId, runId).fetchHistory()).events ?? [])
        lost += (event.activityTaskStartedEventAttributes?.attempt ?? 1) - 1;
    return lost;
  };

  it('each stage on the machine of its role: one trains, another samples and judges', async () => {
    const [control, train, sample, person] = await machines(3);
    await Promise.all([
      control?.startWorker('control'),
      train?.startWorker('train'),
      sample?.startWorker('sample,verify', { STARTRAIL_CONCURRENCY: 'sample=1,verify=3' }),
    ]);
    await follow(person, 'roles').asAlone();
    const stagesOf = (host: Host | undefined) =>
      [...new Set(host?.shardsDone('roles').map(({ shard }) => shard.split('/')[1]))].sort();
    expect(stagesOf(control)).toEqual(['batch', 'kept']);
    expect(stagesOf(train)).toEqual(['base', 'next']);
    expect(stagesOf(sample)).toEqual(['free', 'hinted', 'judged', 'score', 'second']);
  });

  it('one machine loses its power in the middle: the other finishes, and works nothing twice', async () => {
    const [a, b, person] = await machines(2);
    await Promise.all([a?.startWorker('all'), b?.startWorker('all')]);
    const run = follow(person, 'power');
    await inTheMiddle(a, 'power', '1/free');
    await a?.cutPower();
    const before = b?.shardsDone('power').length ?? 0;
    await run.asAlone();
    expect(b?.shardsDone('power').length).toBeGreaterThan(before);
    const all = worked('power');
    expect(new Set(all).size).toBe(all.length);
  });

  it.each(['1/free', '1/kept'])(
    'a worker that is told to end (after %s) loses at most the shards it had in hand, and leaves nothing behind',
    async (stage) => {
      const run = stage.replace('/', '-');
      const [a, b, person] = await machines(2);
      // Only one of them may train at first, so that the fine-tune is in the hands of the one that is told to end.
      await Promise.all([a?.startWorker('all'), b?.startWorker('control,sample,verify')]);
      const followed = follow(person, run);
      await until(`${run} under way`, 240_000, () => worked(run).some((shard) => shard.startsWith(stage)));
      if (stage === '1/kept') await pause(1_500);
      const { code, seconds, left } = (await a?.endWorker()) ?? {};
      expect({ code, left }).toEqual({ code: 0, left: 0 });
      // 2 s of grace, 4 s until work that does not listen is cut off, and a busy machine.
      expect(seconds).toBeLessThan(15);
      await hosts[0]?.startWorker('train');
      await followed.asAlone();
      const all = worked(run);
      expect(new Set(all).size).toBe(all.length);
      // Two shards of a stage are under way at once, on both machines together; stages that follow each other overlap.
      expect(await attemptsLost(run)).toBeLessThanOrEqual(4);
    },
  );
});
