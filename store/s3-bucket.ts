/**
 * The calls a store makes to an S3 bucket, each patient in an outage and exact in what it answers.
 *
 *   await bucket.put('objects/9f/86…', { bytes }, { absent: true })   // { etag }, or undefined: something stands there
 *
 * Whatever may pass (no answer, 5xx, "slow down") is tried again with growing pauses for `patienceMs`, then told as one
 * sentence with the code StoreUnreachable. A 404 means absent only where the bucket itself is there: an outage is never an answer.
 * Source: Amazon S3's REST API; conditional writes by If-None-Match and If-Match. Limits: one put per object, so at most 5 GB.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { failureOf } from './s3-failures.ts';
import { StoreError } from './store.ts';

export interface S3Place {
  bucket: string;
  /** Stands before every key: "" or ends in "/". */
  prefix: string;
  region: string;
  /** Of a server that is not Amazon's, e.g. http://10.0.0.5:8333; the bucket is then named in the path. */
  endpoint?: string;
}

export interface Patience {
  /** A request without a byte for so long is given up and tried again. */
  idleMs: number;
  /** Trying again ends after so long; Temporal's retries come on top. */
  patienceMs: number;
}
export const PATIENCE: Patience = { idleMs: 5_000, patienceMs: 12_000 };

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 3_000;
const LARGEST_PUT = 5 * 1024 ** 3;
const AT_ONCE = 32;

export type Body = { bytes: Uint8Array } | { file: string; size: number };
export type Condition = { absent: true } | { etag: string };

export class Bucket {
  /** For people: s3://bucket/prefix, with the server where it is not Amazon's. Holds no key. */
  readonly location: string;
  private readonly client: S3Client;

  constructor(
    private readonly place: S3Place,
    private readonly patience: Patience = PATIENCE,
  ) {
    const { bucket, prefix, region, endpoint } = place;
    this.location = `s3://${bucket}/${prefix}${endpoint === undefined ? '' : ` at ${endpoint}`}`;
    this.client = new S3Client({
      region,
      ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
      // Credentials: the SDK's own chain (environment, profile, role of the machine); they never pass through here.
      maxAttempts: 1,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: {
        connectionTimeout: patience.idleMs,
        socketTimeout: patience.idleMs,
        httpAgent: { maxSockets: AT_ONCE },
        httpsAgent: { maxSockets: AT_ONCE },
      },
    });
  }

  /** The object's bytes and the mark of this version; undefined if absent. */
  get(key: string): Promise<{ bytes: Buffer; etag: string } | undefined> {
    return this.patiently(`read ${key}`, () =>
      this.unlessAbsent(async () => {
        const { Body, ETag = '' } = await this.client.send(new GetObjectCommand(this.at(key)));
        return { bytes: Buffer.from((await Body?.transformToByteArray()) ?? []), etag: ETag };
      }),
    );
  }

  /** The object as a new file; undefined if absent. What an interrupted transfer left in the file is written over. */
  download(key: string, file: string): Promise<{ etag: string } | undefined> {
    return this.patiently(`fetch ${key}`, () =>
      this.unlessAbsent(async () => {
        const { Body, ETag = '' } = await this.client.send(new GetObjectCommand(this.at(key)));
        await pipeline(Body as Readable, createWriteStream(file, { flush: true }));
        return { etag: ETag };
      }),
    );
  }

  /** Size and version mark; undefined if absent. */
  look(key: string): Promise<{ size: number; etag: string } | undefined> {
    return this.patiently(`look for ${key}`, () =>
      this.unlessAbsent(async () => {
        const { ContentLength = 0, ETag = '' } = await this.client.send(new HeadObjectCommand(this.at(key)));
        return { size: ContentLength, etag: ETag };
      }),
    );
  }

  /**
   * Writes if the condition holds; undefined if it does not. After a lost answer the repeated request can find its own
   * write: whoever must know puts a mark of its own into the bytes. `sha256` (base64) makes the server refuse other bytes.
   */
  put(key: string, body: Body, condition?: Condition, sha256?: string): Promise<{ etag: string } | undefined> {
    const size = 'bytes' in body ? body.bytes.byteLength : body.size;
    if (size > LARGEST_PUT)
      throw new StoreError(
        'StoreFull',
        `${key} has ${size} bytes; ${this.location} takes up to ${LARGEST_PUT} in one piece`,
      );
    return this.patiently(`write ${key}`, async () => {
      const input = {
        ...this.at(key),
        Body: 'bytes' in body ? body.bytes : createReadStream(body.file),
        ContentLength: size,
        ChecksumSHA256: sha256,
        ...(condition && ('absent' in condition ? { IfNoneMatch: '*' } : { IfMatch: condition.etag })),
      };
      try {
        const { ETag = '' } = await this.client.send(new PutObjectCommand(input));
        return { etag: ETag };
      } catch (error) {
        const { kind } = failureOf(error);
        // Amazon says 404 where a version was expected and nothing stands.
        if (kind === 'refused' || (kind === 'absent' && condition !== undefined)) return undefined;
        throw error;
      } finally {
        if (!('bytes' in body)) (input.Body as Readable).destroy();
      }
    });
  }

  /** Takes the object away; with `etag` only if it is still this version. Absent is fine. False: another version stands. */
  remove(key: string, etag?: string): Promise<boolean> {
    return this.patiently(`remove ${key}`, async () => {
      try {
        await this.client.send(
          new DeleteObjectCommand({ ...this.at(key), ...(etag !== undefined && { IfMatch: etag }) }),
        );
        return true;
      } catch (error) {
        const { kind } = failureOf(error);
        if (kind === 'absent') return true;
        if (kind === 'refused') return false;
        throw error;
      }
    });
  }

  /** Moves this version aside under `damaged/`. Undefined: something else stands there by now. */
  async setAside(key: string, etag: string, label: string): Promise<string | undefined> {
    const time = new Date().toISOString().replaceAll(/[:.]/g, '-');
    const target = `damaged/${label}-${time}`;
    const source = [this.place.bucket, ...(this.place.prefix + key).split('/')].map(encodeURIComponent).join('/');
    const copied = await this.patiently(`set ${key} aside`, async () => {
      try {
        await this.client.send(
          new CopyObjectCommand({ ...this.at(target), CopySource: source, CopySourceIfMatch: etag }),
        );
        return true;
      } catch (error) {
        const { kind } = failureOf(error);
        if (kind === 'absent' || kind === 'refused') return false;
        throw error;
      }
    });
    return copied && (await this.remove(key, etag)) ? `${this.location}, ${target}` : undefined;
  }

  /** Every key below `folder`, sorted. */
  async list(folder: string): Promise<string[]> {
    const keys: string[] = [];
    let token: string | undefined;
    do {
      const { Bucket: bucket, Key: prefix } = this.at(folder);
      const input = { Bucket: bucket, Prefix: prefix, ContinuationToken: token };
      const page = await this.patiently(`list ${folder}`, () => this.client.send(new ListObjectsV2Command(input)));
      for (const { Key } of page.Contents ?? []) if (Key !== undefined) keys.push(Key.slice(this.place.prefix.length));
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
    return keys.sort();
  }

  /** Throws StoreError if the bucket is not there or not ours to use. */
  async mustExist(): Promise<void> {
    await this.patiently('open it', () => this.client.send(new HeadBucketCommand({ Bucket: this.place.bucket })));
  }

  private at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.place.bucket, Key: this.place.prefix + key };
  }

  private async unlessAbsent<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (failureOf(error).kind !== 'absent') throw error;
      // A HEAD's 404 has no words: a bucket that is gone must not look like an object that is.
      if ((error as Error).name !== 'NoSuchKey')
        await this.client.send(new HeadBucketCommand({ Bucket: this.place.bucket }));
      return undefined;
    }
  }

  /** Tries again while trouble may pass. Throws StoreError with place, what was done, cause and cure. */
  private async patiently<T>(doing: string, work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    for (let attempt = 0; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (error instanceof StoreError) throw error;
        const { kind, code, cause, cure } = failureOf(error);
        const waited = performance.now() - began;
        // Half of it by chance: many workers that lost the same server must not come back at the same moment.
        const next = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt) * (0.5 + Math.random() / 2);
        if (kind === 'passing' && waited + next < this.patience.patienceMs) {
          await pause(next);
          continue;
        }
        const since = kind === 'passing' ? ` for ${Math.round(waited / 1000)} s` : '';
        throw new StoreError(code, `the store ${this.location}: cannot ${doing}${since} (${cause}). ${cure}`);
      }
    }
  }
}
