/**
 * Several machines with one Temporal server and one S3 server, and the run that each test does on them, done once before on an
 * undisturbed machine with a store in its home: the digests to come to.
 */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import type { RunDocument } from '../../schemas/run.ts';
import { REAL_RUN, setWords } from '../support/real-run.ts';
import { findS3Server, S3Server } from '../support/s3-server.ts';
import { startServer } from '../support/temporal.ts';
import { until } from '../cli/fixture/process.ts';
import { Host } from './host.ts';

const WORDS = ['run', 'addition', '--iterations', '2', '--shard-size', '15', '--seed', '5', '--json'];
const SETTINGS = setWords(REAL_RUN);

const digestsOf = ({ ledgerDigest, weightsDigest }: RunDocument) => ({ ledgerDigest, weightsDigest });

export class Cluster {
  hosts: Host[] = [];
  private constructor(
    readonly env: TestWorkflowEnvironment,
    readonly s3: S3Server,
    private readonly alone: Host,
    private readonly reference: RunDocument,
    /** What a person was told whose run was started before any worker. */
    readonly toldWithoutWorkers: string,
  ) {}

  static async start(program: string): Promise<Cluster> {
    const s3 = new S3Server(program);
    const [env] = await Promise.all([startServer(), s3.start()]);
    const alone = new Host(env.address);
    // Before any worker: only now does no queue have one.
    const command = alone.command(...WORDS, '--run-id', 'alone', ...SETTINGS);
    await until('a run without workers', 60_000, () => command.err().includes('alone started'));
    await alone.startWorker('all');
    expect(await command.ended, command.err()).toBe(0);
    const reference = JSON.parse(command.out()) as RunDocument;
    // A run in which nothing is accepted would be equal to itself however it was treated.
    for (const { ledger } of reference.iterations.slice(1))
      expect(Math.min(ledger.acceptedFree, ledger.acceptedHinted, ledger.rejected)).toBeGreaterThan(0);
    await alone.endWorker();
    return new Cluster(env, s3, alone, reference, command.err());
  }

  /** Machines that share one new bucket, and one more without a worker: a person sits at it. */
  async machines(count: number): Promise<Host[]> {
    const place = { ...(await this.s3.bucket()), prefix: 'team/' };
    this.hosts = Array.from({ length: count + 1 }, () => new Host(this.env.address, place).useBundleOf(this.alone));
    return this.hosts;
  }

  /** Starts the run from that machine and follows it there. */
  follow(person: Host | undefined, run: string) {
    const command = (person as Host).command(...WORDS, '--run-id', run, ...SETTINGS);
    const asAlone = async () => {
      expect(await command.ended, command.err()).toBe(0);
      expect(digestsOf(JSON.parse(command.out()) as RunDocument)).toEqual(digestsOf(this.reference));
    };
    return { ...command, asAlone };
  }

  /** Shards of a run that were worked to their end, by any machine. */
  worked = (run: string): string[] =>
    this.hosts.flatMap((host) => host.shardsDone(run).filter(({ reused }) => !reused)).map(({ shard }) => shard);

  /** Attempts beyond the first, of all activities. */
  async attemptsLost(run: string): Promise<number> {
    const { workflow } = this.env.client;
    let lost = 0;
    for await (const { workflowId, runId } of workflow.list({ query: `WorkflowId STARTS_WITH "${run}"` }))
      for (const event of (await workflow.getHandle(workflowId, runId).fetchHistory()).events ?? [])
        lost += (event.activityTaskStartedEventAttributes?.attempt ?? 1) - 1;
    return lost;
  }

  closeHosts(): void {
    for (const host of this.hosts) host.close();
    this.hosts = [];
  }

  async close(): Promise<void> {
    this.closeHosts();
    this.alone.close();
    await this.s3.close();
    await this.env.teardown();
  }
}

const found = await findS3Server();
if (found.reason !== undefined) console.warn(found.reason);

/** Tests on a cluster of their own; skipped, with the reason and its cure told, where there is no S3 server to be had. */
export function describeCluster(title: string, tests: (cluster: () => Cluster) => void): void {
  describe.skipIf(found.program === undefined)(title, () => {
    let cluster: Cluster;
    beforeAll(async () => {
      cluster = await Cluster.start(found.program ?? '');
    }, 300_000);
    afterEach(() => cluster?.closeHosts());
    afterAll(() => cluster?.close());
    tests(() => cluster);
  });
}
