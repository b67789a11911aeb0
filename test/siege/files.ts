/**
 * The files of a store, wherever it lies, for whoever damages them behind its back: same keys in a folder and in a bucket.
 *
 *   const files = filesOf(store); await damage(files, 'flipped memo', 0.3)   // 'names/memo/ab12….json'
 */
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { digestOf } from '../../store/objects.ts';
import type { S3Place } from '../../store/s3-bucket.ts';

export interface Files {
  list(): Promise<string[]>;
  read(key: string): Promise<Buffer>;
  write(key: string, bytes: Buffer): Promise<void>;
}

const walk = (root: string, below = ''): string[] =>
  readdirSync(path.join(root, below), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? walk(root, `${below}${entry.name}/`) : [below + entry.name],
  );

export const folderFiles = (folder: string): Files => ({
  list: async () => walk(folder),
  read: async (key) => readFileSync(path.join(folder, key)),
  async write(key, bytes) {
    chmodSync(path.join(folder, key), 0o644);
    writeFileSync(path.join(folder, key), bytes);
  },
});

export const bucketFiles = (client: S3Client, { bucket, prefix }: S3Place): Files => ({
  async list() {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
    return Contents.map(({ Key = '' }) => Key.slice(prefix.length));
  },
  async read(key) {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: prefix + key }));
    return Buffer.from((await Body?.transformToByteArray()) ?? []);
  },
  async write(key, bytes) {
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: prefix + key, Body: bytes }));
  },
});

export type Damage = `${'torn' | 'flipped'} ${'artifact' | 'memo' | 'checkpoint'}`;

interface Entry {
  value?: { output?: { outputs?: { model?: { checkpoint?: { digest?: string } } } } };
}

const SNAPSHOT = /^scratch\/.*\/snapshots\/step-/;

/** What may be hit; a checkpoint is a model that a fine-tune made, or a snapshot inside of one. */
async function targets(files: Files, what: string): Promise<string[]> {
  const keys = (await files.list()).sort();
  const memos = keys.filter((key) => /^names\/memo\/[^/]+\.json$/.test(key));
  if (what === 'memo') return memos;
  const entries = await Promise.all(memos.map(async (key) => (await files.read(key)).toString('utf8')));
  const models = entries.flatMap((text) => {
    try {
      return (JSON.parse(text) as Entry).value?.output?.outputs?.model?.checkpoint?.digest ?? [];
    } catch {
      return []; // damaged earlier
    }
  });
  const objects = keys.filter((key) => key.startsWith('objects/'));
  const isModel = (key: string) => models.includes(`sha256:${key.split('/').slice(1).join('')}`);
  if (what === 'artifact') return objects.filter((key) => !isModel(key));
  const snapshots = keys.filter((key) => SNAPSHOT.test(key));
  return snapshots.length > 0 ? snapshots : objects.filter(isModel);
}

/** Cut short, or with one bit turned: at a place that `which` chooses. Undefined where there is no such file yet. */
export async function damage(files: Files, kind: Damage, which: number): Promise<string | undefined> {
  const [how, what = ''] = kind.split(' ');
  const found = await targets(files, what);
  const key = found[Math.floor(which * found.length)];
  if (key === undefined) return undefined;
  const bytes = await files.read(key);
  // An empty file is sound as it is: it can be neither cut nor turned.
  if (bytes.length === 0) return undefined;
  const place = Math.floor(((which * found.length) % 1) * bytes.length);
  if (how === 'flipped') bytes.writeUInt8(bytes.readUInt8(place) ^ (1 << (place % 8)), place);
  await files.write(key, how === 'torn' ? bytes.subarray(0, place) : bytes);
  return key;
}

/** Whether the store noticed: what stood there was set aside. Of snapshots nothing is kept. */
export async function wasSetAside(files: Files, key: string): Promise<boolean> {
  const label = key.startsWith('objects/')
    ? key.split('/').slice(1).join('')
    : `name-${digestOf(key.replace(/^names\//, '').replace(/\.json$/, '')).slice(7, 39)}`;
  return (await files.list()).some((one) => one.startsWith(`damaged/${label}`));
}
