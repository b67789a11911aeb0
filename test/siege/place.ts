/**
 * A place under siege: a home with everything its plan asks for (a bucket on an S3 server of its own, a codec server, a small
 * disk), and the switches of what its processes are made to believe (faults.mjs).
 */
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { readOwner } from '../../cli/home.ts';
import { createLocalStore } from '../../store/local.ts';
import type { S3Place } from '../../store/s3-bucket.ts';
import { createS3Store } from '../../store/s3.ts';
import type { Store } from '../../store/store.ts';
import { checkout, Installation } from '../chaos/installation.ts';
import { members } from '../chaos/processes.ts';
import { KEY_ENVIRONMENT, S3Server } from '../support/s3-server.ts';
import { CodecServer, KEYS } from './codec.ts';
import { bucketFiles, folderFiles } from './files.ts';
import type { Files } from './files.ts';
import type { Plan } from './plan.ts';

const beside = (name: string) => path.join(import.meta.dirname, name);
/** A run asks for 200 MB that are to stay free. */
const DISK_MB = 288;
/** Pause before each row and training step of the scripted engine: a run takes seconds, so that faults can fall into it. */
const DELAY_MS = 12;
/** Until a lasting fault makes a run wait; else as many as the product has. */
const FEW_ATTEMPTS = 9;

/** Whether this user may mount a small disk; why not, else. */
export function mountRefused(): string | undefined {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'startrail-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: ['ignore', 'ignore', 'pipe'] });
    execFileSync('umount', [folder]);
    return undefined;
  } catch (error) {
    return String((error as { stderr?: Buffer }).stderr ?? error).trim();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export type Needs = Pick<Plan, 'engine' | 'bucket' | 'codec' | 'smallDisk' | 'faults'>;

export class Place extends Installation {
  private second: { child: ChildProcess; group: number } | undefined;
  private mounted = false;
  private bucket: S3Place | undefined;
  s3: S3Server | undefined;
  codec: CodecServer | undefined;
  private switches: { clockMs?: number; full?: { under: string; roles: string[] } } = {};

  private constructor(
    private readonly base: string,
    private readonly needs: Needs,
    folder: string,
  ) {
    super(undefined, folder, base);
  }

  /** @param bundles of earlier places: bundling takes seconds and is no part of what is tested */
  static async make(needs: Needs, s3Program?: string, bundles: Place[] = []): Promise<Place> {
    const base = mkdtempSync(path.join(os.tmpdir(), 'startrail-siege-'));
    const folder = path.join(base, 'home');
    mkdirSync(folder);
    const place = new Place(base, needs, folder);
    try {
      if (needs.smallDisk) {
        execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MB}m`, 'startrail-siege', folder]);
        place.mounted = true;
      }
      for (const other of bundles) place.useBundlesOf(other.folder);
      if (needs.bucket) {
        place.s3 = new S3Server(s3Program ?? '');
        await place.s3.start();
        place.bucket = { ...(await place.s3.bucket()), prefix: 'team/' };
      }
      if (needs.codec) {
        place.codec = new CodecServer(folder);
        await place.codec.start();
      }
      place.set({});
      return place;
    } catch (error) {
      await place.remove();
      throw error;
    }
  }

  override environment(): Record<string, string | undefined> {
    const { needs } = this;
    return {
      ...super.environment(),
      STARTRAIL_ENGINE: needs.engine,
      STARTRAIL_SCRIPTED_ANSWER: pathToFileURL(beside('answer.ts')).href,
      STARTRAIL_SCRIPTED_DELAY_MS: String(DELAY_MS),
      STARTRAIL_SIEGE_CONTROL: this.control,
      NODE_OPTIONS: `--import ${pathToFileURL(beside('faults.mjs')).href}`,
      ...(needs.faults.some(({ kind }) => kind === 'disk full until it waits') && {
        STARTRAIL_ATTEMPTS: String(FEW_ATTEMPTS),
      }),
      ...(needs.codec && { STARTRAIL_CODEC_KEYS: KEYS }),
      ...(this.bucket && {
        STARTRAIL_STORE: `s3://${this.bucket.bucket}/${this.bucket.prefix}`,
        STARTRAIL_S3_ENDPOINT: this.bucket.endpoint,
        ...KEY_ENVIRONMENT,
      }),
    };
  }

  private get control(): string {
    return path.join(this.base, 'control.json');
  }
  /** What the processes of this place are made to believe from now on. */
  set(changed: { clockMs?: number; full?: boolean }): void {
    const { full, ...rest } = changed;
    Object.assign(this.switches, rest);
    if (full !== undefined)
      this.switches.full = full ? { under: this.folder, roles: ['worker', 'engine'] } : { under: '', roles: [] };
    writeFileSync(this.control, JSON.stringify(this.switches));
  }

  private get ballast(): string {
    return path.join(this.folder, 'ballast');
  }
  /** Takes the last byte of a small disk. */
  fillDisk(): void {
    const file = openSync(this.ballast, 'a');
    try {
      for (const size of [1 << 20, 1 << 12])
        try {
          for (;;) writeSync(file, Buffer.alloc(size));
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        }
    } finally {
      closeSync(file);
    }
  }
  emptyDisk(): void {
    rmSync(this.ballast, { force: true });
  }

  /** Another worker of the same home, as on a machine on which somebody started two. */
  startSecondWorker(): void {
    const address = readOwner(this.paths)?.address;
    if (this.second || address === undefined) return;
    const words = ['--import', 'tsx', 'workers/main.ts', '--role', 'all', '--address', address];
    const child = spawn(process.execPath, words, {
      cwd: checkout,
      detached: true,
      stdio: 'ignore',
      env: { ...process.env, ...this.environment() },
    });
    if (child.pid === undefined) throw new Error('the second worker did not start');
    this.groups.push(child.pid);
    this.second = { child, group: child.pid };
  }
  endSecondWorker(): void {
    if (!this.second) return;
    try {
      process.kill(-this.second.group, 'SIGKILL');
    } catch {
      // It ended by itself: its server did.
    }
    this.second = undefined;
  }
  livesSecond = (): boolean => this.second !== undefined && members(this.second.group).length > 0;

  /** Shards that were done, each counted once however often it was. */
  shardsDone(): number {
    const done = new Set<string>();
    let text = '';
    try {
      text = readFileSync(this.paths.workerLog, 'utf8');
    } catch {
      return 0;
    }
    for (const line of text.split('\n')) {
      if (!line.includes('"shard done"') || !line.endsWith('}')) continue;
      const { iteration, stage, shard } = JSON.parse(line) as Record<string, unknown>;
      done.add(`${String(iteration)}/${String(stage)}/${String(shard)}`);
    }
    return done.size;
  }

  /** As its processes see it, but with copies of its own. */
  store(): Promise<Store> {
    if (!this.bucket) return createLocalStore(this.paths.store);
    Object.assign(process.env, KEY_ENVIRONMENT);
    return createS3Store(this.bucket, path.join(this.base, 'copies'));
  }
  files(): Files {
    if (!this.bucket || !this.s3) return folderFiles(this.paths.store);
    return bucketFiles(this.s3.client(), this.bucket);
  }

  override async remove(): Promise<void> {
    this.endSecondWorker();
    await this.codec?.kill();
    await this.endAll();
    if (this.mounted) execFileSync('umount', ['-l', this.folder]);
    this.mounted = false;
    await this.s3?.close();
    rmSync(this.base, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}
