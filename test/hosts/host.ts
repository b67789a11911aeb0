/**
 * A machine of a cluster, as far as one machine can play several: a home, a scratch folder and a temporary folder of its own, a
 * worker of some roles, and nothing shared but the Temporal server and the bucket. `run` is the command line, on a third one.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startGuardian } from '../../cli/guardian.ts';
import type { S3Place } from '../../store/s3-bucket.ts';
import { members } from '../chaos/processes.ts';
import { until } from '../cli/fixture/process.ts';
import { KEY_ENVIRONMENT } from '../support/s3-server.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const READY_MS = 120_000;
/** A line of the worker's log, written when a shard was done. */
export interface ShardDone {
  at: number;
  shard: string;
  reused: boolean;
}

export class Host {
  readonly home = mkdtempSync(path.join(os.tmpdir(), 'startrail-host-'));
  private readonly children: ChildProcess[] = [];
  private worker: { child: ChildProcess; out: string; ended: Promise<number | null> } | undefined;

  /** Without a place it keeps its artifacts in its home. */
  constructor(
    private readonly address: string,
    private readonly place?: S3Place,
  ) {
    mkdirSync(path.join(this.home, 'tmp'));
  }

  /** Bundling the workflows takes seconds and is no part of what is tested. */
  useBundleOf(other: Host): this {
    cpSync(path.join(other.home, 'bundles'), path.join(this.home, 'bundles'), { recursive: true });
    return this;
  }

  private start(words: string[], more: Record<string, string> = {}): ChildProcess {
    const shared = this.place && {
      STARTRAIL_STORE: `s3://${this.place.bucket}/${this.place.prefix}`,
      STARTRAIL_S3_ENDPOINT: this.place.endpoint,
      ...KEY_ENVIRONMENT,
    };
    // As a service would start it: nobody at its input, a process group of its own.
    const child = spawn(process.execPath, ['--import', 'tsx', ...words], {
      cwd: checkout,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        STARTRAIL_HOME: this.home,
        STARTRAIL_ADDRESS: this.address,
        STARTRAIL_SNAPSHOT_MS: '150',
        TMPDIR: path.join(this.home, 'tmp'),
        ...shared,
        ...more,
      },
    });
    this.children.push(child);
    // Ends it also when the test is killed; its engines end with it.
    if (child.pid !== undefined) startGuardian().watch(child.pid, words[0] as string);
    return child;
  }

  async startWorker(role: string, more: Record<string, string> = {}): Promise<void> {
    const child = this.start(['workers/main.ts', '--role', role], more);
    const worker = { child, out: '', ended: new Promise<number | null>((done) => child.once('exit', done)) };
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => (worker.out += chunk.toString()));
    this.worker = worker;
    await until(`a worker of ${role}`, READY_MS, () => {
      if (child.exitCode !== null) throw new Error(`the worker ended: ${worker.out}`);
      return worker.out.includes('"ready"');
    });
  }

  /** Worker and engines at once, as when the power goes. */
  async cutPower(): Promise<void> {
    process.kill(-(this.worker?.child.pid as number), 'SIGKILL');
    await this.worker?.ended;
  }

  /** Asks the worker to end; its exit code and how long it took. */
  async endWorker(): Promise<{ code: number | null; seconds: number; left: number }> {
    const { child, ended } = this.worker as NonNullable<typeof this.worker>;
    const from = Date.now();
    child.kill('SIGTERM');
    const code = await ended;
    return { code, seconds: (Date.now() - from) / 1000, left: members(child.pid as number).length };
  }

  /** A command line on this machine. */
  command(...words: string[]): { out: () => string; err: () => string; ended: Promise<number | null> } {
    const child = this.start(['cli/main.ts', ...words]);
    let [out, err] = ['', ''];
    child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
    return { out: () => out, err: () => err, ended: new Promise((done) => child.once('close', done)) };
  }

  /** A fine-tune is under way here and has written a snapshot. */
  trainsNow(): boolean {
    const scratch = path.join(this.home, 'cache', 'scratch');
    if (!existsSync(scratch)) return false;
    return readdirSync(scratch).some((folder) => {
      const snapshots = path.join(scratch, folder, 'snapshots');
      return existsSync(snapshots) && readdirSync(snapshots).length > 0;
    });
  }

  /** What this machine did, in order. */
  shardsDone(run: string): ShardDone[] {
    const log = path.join(this.home, 'logs', 'worker.log');
    if (!existsSync(log)) return [];
    return readFileSync(log, 'utf8')
      .split('\n')
      .flatMap((line) => {
        if (!line.includes('"shard done"') || !line.endsWith('}')) return [];
        const said = JSON.parse(line) as Record<string, unknown>;
        if (said.run !== run) return [];
        const shard = `${String(said.iteration)}/${String(said.stage)}/${String(said.shard)}`;
        return [{ at: Number(said.time), shard, reused: said.reused === true }];
      });
  }

  close(): void {
    for (const { pid } of this.children)
      try {
        process.kill(-(pid as number), 'SIGKILL');
      } catch {
        // It has ended.
      }
    rmSync(this.home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}
