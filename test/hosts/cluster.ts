/**
 * Several machines with one Temporal server and one S3 server, and the run that each test does on them, done once before on an
 * undisturbed machine with a store in its home: the digests to come to.
 */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { expect } from 'vitest';
import type { RunDocument } from '../../schemas/run.ts';
import { S3Server } from '../support/s3-server.ts';
import { startServer } from '../support/temporal.ts';
import { Host, until } from './host.ts';

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
