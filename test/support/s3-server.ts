/**
 * A real S3 server (SeaweedFS) on the loopback address, with a bucket of its own per call of `bucket`. It can be frozen, killed and
 * started again on its data. It ends with the test, also with one that is killed.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { startGuardian } from '../../cli/guardian.ts';
import { tryPort } from '../../cli/ports.ts';
import { sentence } from '../../scripts/setup/failure.mjs';
import { provideSeaweedfs } from '../../scripts/setup/seaweedfs.mjs';
import type { S3Place } from '../../store/s3-bucket.ts';

const KEYS = { accessKeyId: 'startrail-test', secretAccessKey: 'no-secret-at-all' };
/** What a process needs to be let in. */
export const KEY_ENVIRONMENT = { AWS_ACCESS_KEY_ID: KEYS.accessKeyId, AWS_SECRET_ACCESS_KEY: KEYS.secretAccessKey };
const REGION = 'us-east-1';
const START_MS = 90_000;
const PORTS = ['master', 'volume', 'filer', 's3'].flatMap((part) => [`${part}.port`, `${part}.port.grpc`]);

/** Where the server's program is, or why there is none: tests skip with this sentence. */
export async function findS3Server(): Promise<
  { program: string; reason?: never } | { program?: never; reason: string }
> {
  try {
    return { program: await provideSeaweedfs() };
  } catch (error) {
    return { reason: `skipped, no S3 server to test with: ${sentence(error)}` };
  }
}

export class S3Server {
  endpoint = '';
  pid = 0;
  readonly folder = mkdtempSync(path.join(os.tmpdir(), 'startrail-s3-'));
  private readonly ports = new Map<string, number>();
  private child: ChildProcess | undefined;
  private guardian: ReturnType<typeof startGuardian> | undefined;
  private buckets = 0;

  constructor(private readonly program: string) {
    const identity = {
      name: 'test',
      credentials: [{ accessKey: KEYS.accessKeyId, secretKey: KEYS.secretAccessKey }],
      actions: ['Admin', 'Read', 'Write', 'List', 'Tagging'],
    };
    writeFileSync(path.join(this.folder, 'keys.json'), JSON.stringify({ identities: [identity] }));
  }

  /** Starts it, the second time on the same ports and data; ready when it makes a bucket. */
  async start(): Promise<void> {
    for (const name of PORTS)
      while (!this.ports.has(name)) {
        // Below the range from which systems take ports for outgoing connections: those would come in between, or at a restart.
        const port = await tryPort(10_000 + Math.floor(Math.random() * 22_000));
        if (port !== undefined && ![...this.ports.values()].includes(port)) this.ports.set(name, port);
      }
    this.endpoint = `http://127.0.0.1:${this.ports.get('s3.port')}`;
    const log = openSync(path.join(this.folder, 'weed.log'), 'a');
    this.guardian = startGuardian();
    this.child = spawn(
      this.program,
      [
        ...['server', `-dir=${this.folder}`, '-ip=127.0.0.1', '-ip.bind=127.0.0.1', '-filer', '-s3'],
        ...[...this.ports].map(([name, port]) => `-${name}=${port}`),
        // No port of its own choosing, no news to anybody, and small volumes.
        ...['-s3.port.iceberg=0', '-s3.port.lance=0', '-master.telemetry=false', '-master.volumeSizeLimitMB=64'],
        ...['-volume.max=0', `-s3.config=${path.join(this.folder, 'keys.json')}`],
      ],
      { stdio: ['ignore', log, log], cwd: this.folder },
    );
    closeSync(log);
    this.pid = this.child.pid ?? 0;
    this.guardian.watch(this.pid, `-dir=${this.folder}`);
    for (const until = Date.now() + START_MS; ;) {
      try {
        await this.bucket();
        return;
      } catch (error) {
        if (Date.now() > until || this.child.exitCode !== null)
          throw new Error(`the S3 server does not start (${String(error)}):\n${this.log()}`, { cause: error });
      }
      await pause(250);
    }
  }

  /** A new, empty bucket. */
  async bucket(): Promise<S3Place> {
    const bucket = `bucket-${++this.buckets}`;
    const client = this.client();
    try {
      await client.send(new CreateBucketCommand({ Bucket: bucket }));
    } finally {
      client.destroy();
    }
    return { bucket, prefix: '', region: REGION, endpoint: this.endpoint };
  }

  /** For tests that reach behind the store's back. */
  client(): S3Client {
    return new S3Client({
      endpoint: this.endpoint,
      region: REGION,
      forcePathStyle: true,
      maxAttempts: 1,
      credentials: KEYS,
      requestHandler: { socketTimeout: 5_000, connectionTimeout: 5_000 },
    });
  }

  freeze(): void {
    process.kill(this.pid, 'SIGSTOP');
  }
  thaw(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  async kill(): Promise<void> {
    const { child } = this;
    this.child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await ended;
    this.guardian?.standDown();
  }

  async close(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private log(): string {
    return readFileSync(path.join(this.folder, 'weed.log'), 'utf8').split('\n').slice(-15).join('\n');
  }
}
