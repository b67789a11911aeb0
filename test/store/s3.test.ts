/** What only an S3 store must withstand: several machines, damage in the bucket, lost and late answers, outages, unfit servers. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { keyOfName } from '../../store/documents.ts';
import { placeOf } from '../../store/open.ts';
import type { S3Place } from '../../store/s3-bucket.ts';
import { createS3Store } from '../../store/s3.ts';
import type { Store } from '../../store/store.ts';
import { startHeedless, startProxy } from '../support/s3-doubles.ts';
import type { Double, Fate } from '../support/s3-doubles.ts';
import { findS3Server, KEY_ENVIRONMENT, S3Server } from '../support/s3-server.ts';

const SECRET = KEY_ENVIRONMENT.AWS_SECRET_ACCESS_KEY;
/** Where the server is meant to stay away. */
const HASTY = { idleMs: 1_000, patienceMs: 1_500 };
/** A new bucket's first write may take seconds where other suites have the processor. */
const PATIENT = { idleMs: 10_000, patienceMs: 25_000 };
const folders: string[] = [];
const doubles: Double[] = [];
const newFolder = async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'store-s3-'));
  folders.push(folder);
  return folder;
};
beforeEach(() => {
  for (const [name, value] of Object.entries(KEY_ENVIRONMENT)) vi.stubEnv(name, value);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const double of doubles.splice(0)) double.close();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

const found = await findS3Server();
if (found.reason !== undefined) console.warn(found.reason);

describe.skipIf(found.program === undefined)('a store in a bucket of a real server', { timeout: 60_000 }, () => {
  let server: S3Server;
  let place: S3Place;
  beforeAll(async () => {
    server = new S3Server(found.program ?? '');
    await server.start();
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    place = await server.bucket();
  });

  /** Each call is another machine: nothing on disk is shared. */
  const host = async (at: S3Place = place, patience = PATIENT) => createS3Store(at, await newFolder(), { patience });
  const through = async (fateOf: (method: string, url: string) => Fate): Promise<Store> => {
    const proxy = await startProxy(server.endpoint, fateOf);
    doubles.push(proxy);
    return host({ ...place, endpoint: proxy.endpoint });
  };
  const overwrite = (key: string, text: string) =>
    server.client().send(new PutObjectCommand({ Bucket: place.bucket, Key: key, Body: text }));
  const keys = async (prefix: string) => {
    const { Contents = [] } = await server
      .client()
      .send(new ListObjectsV2Command({ Bucket: place.bucket, Prefix: prefix }));
    return Contents.map(({ Key }) => Key ?? '');
  };
  const objectKey = (digest: string) => `objects/${digest.slice(7, 9)}/${digest.slice(9)}`;

  it.each([-1, 1])('a machine whose clock is %i day wrong is let in all the same', async (days) => {
    const clock = vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + days * 86_400_000 });
    try {
      const store = await createS3Store(place, await newFolder(), { patience: PATIENT, probeNow: true });
      const { digest } = await store.put('early or late');
      expect((await store.read(digest)).toString()).toBe('early or late');
    } finally {
      clock.useRealTimers();
    }
  });

  it('what one machine adopts, another without a shared disk opens as a file with the same bytes', async () => {
    const [a, b] = [await host(), await host()];
    const bytes = Buffer.alloc(3_000_000, 'weights');
    const file = path.join(await a.scratch('fine-tune'), 'model');
    await writeFile(file, bytes);
    const { digest } = await a.adopt(file);
    const [first, second] = await Promise.all([b.open(digest), b.open(digest)]);
    expect(first).toBe(second);
    expect(first).not.toBe(await a.open(digest));
    expect(bytes.equals(await readFile(first))).toBe(true);
  });

  it('a copy on this machine that was altered is not handed to an engine: it is fetched anew', async () => {
    const store = await host();
    const { digest } = await store.put('weights');
    const copy = await store.open(digest);
    await rm(copy);
    await writeFile(copy, 'WEIGHTS');
    expect((await readFile(await store.open(digest))).toString()).toBe('weights');
  });

  it.each(['read', 'open'] as const)(
    '%s names an object whose bytes changed, keeps them, and makes room',
    async (how) => {
      const store = await host();
      const { digest } = await store.put('abc');
      await overwrite(objectKey(digest), 'abd');
      await expect(store[how](digest)).rejects.toMatchObject({ code: 'ArtifactDamaged', digest });
      expect(await store.has(digest)).toBe(false);
      const [kept = ''] = await keys('damaged/');
      const object = await server.client().send(new GetObjectCommand({ Bucket: place.bucket, Key: kept }));
      expect(await object.Body?.transformToString()).toBe('abd');
      await store.put('abc');
      expect((await store.read(digest)).toString()).toBe('abc');
    },
  );

  it('an object that was cut short does not stand in the way of its whole bytes', async () => {
    const store = await host();
    const { digest } = await store.put('abcdef');
    await overwrite(objectKey(digest), 'abc');
    await store.put('abcdef');
    expect((await store.read(digest)).toString()).toBe('abcdef');
  });

  it('bytes garbled on the way are asked for again, and nothing in the bucket is touched', async () => {
    const { digest } = await (await host()).put('abc');
    let times = 0;
    const store = await through((method) => (method === 'GET' && times++ === 0 ? 'garble' : 'pass'));
    expect((await store.read(digest)).toString()).toBe('abc');
    expect(times).toBe(2);
    expect(await keys('damaged/')).toEqual([]);
  });

  it('a damaged memo entry counts as absent and is kept aside; a damaged run document is an error', async () => {
    const store = await host();
    for (const name of ['memo/k', 'runs/r']) {
      await store.createName(name, { a: 1 });
      await overwrite(keyOfName(name), '{"check":"sha256:0","value":{"a":2}}');
    }
    expect(await store.getName('memo/k')).toBeUndefined();
    expect(await store.createName('memo/k', { a: 3 })).toEqual({ created: true, value: { a: 3 } });
    expect(await keys('damaged/')).toHaveLength(1);
    await expect(store.getName('runs/r')).rejects.toMatchObject({ code: 'ArtifactDamaged' });
  });

  it('whoever made a name knows it, also when the answer was lost on the way', async () => {
    const lost = new Set<string>();
    // The first put of each key: done by the server, its answer never heard.
    const store = await through((method, url) => {
      if (method !== 'PUT' || lost.has(url)) return 'pass';
      lost.add(url);
      return 'lose';
    });
    // The probe at the first write would find the bucket doing what it must not: its own put was lost and repeated.
    expect(await store.createName('pointer', { i: 1 })).toEqual({ created: true, value: { i: 1 } });
    expect(await (await host()).createName('pointer', { i: 2 })).toEqual({ created: false, value: { i: 1 } });
    const { digest } = await store.put('abc');
    expect((await store.read(digest)).toString()).toBe('abc');
  });

  it('a write that lay in the network while the same call was repeated does not undo what came after', async () => {
    let release = () => undefined as void;
    const late = new Promise<void>((done) => (release = done));
    let held = 0;
    const slow = await through((method, url) =>
      method === 'PUT' && url.includes('names/runs') && held++ === 0 ? late : 'pass',
    );
    const other = await host();
    await other.createName('runs/r', { state: 'old' });
    await slow.replaceName('runs/r', { state: 'middle' });
    expect(held).toBe(2);
    await other.replaceName('runs/r', { state: 'new' });
    release();
    await new Promise((done) => setTimeout(done, 500));
    expect(await other.getName('runs/r')).toEqual({ state: 'new' });
  });

  it('an outage is an error with place, cause and cure, never an answer; a short one is waited for', async () => {
    const { digest } = await (await host()).put('abc');
    const store = await host(place, HASTY);
    server.freeze();
    try {
      const unreachable = {
        code: 'StoreUnreachable',
        message: expect.stringMatching(/no answer.*go(es)? on by itself/),
      };
      const asked = [
        () => store.has(digest),
        () => store.read(digest),
        () => store.getName('runs/r'),
        () => store.createName('runs/r', 1),
        () => store.put('abd'),
        () => store.listNames('runs/'),
      ];
      await Promise.all(asked.map((ask) => expect(ask()).rejects.toMatchObject(unreachable)));
      await expect(store.read(digest)).rejects.toThrow(`s3://${place.bucket}/ at ${server.endpoint}`);
    } finally {
      server.thaw();
    }
    const patient = await createS3Store(place, await newFolder(), { patience: { idleMs: 1_000, patienceMs: 30_000 } });
    server.freeze();
    setTimeout(() => server.thaw(), 3_000);
    expect((await patient.read(digest)).toString()).toBe('abc');
  });

  it('a bucket that is gone is not taken for one that is empty', async () => {
    const store = await host({ ...place, bucket: 'no-such-bucket' });
    const gone = { code: 'StoreUnreachable', message: expect.stringContaining('Create the bucket') };
    const absent = `sha256:${'0'.repeat(64)}`;
    await expect(store.has(absent)).rejects.toMatchObject(gone);
    await expect(store.read(absent)).rejects.toMatchObject(gone);
    await expect(store.getName('runs/r')).rejects.toMatchObject(gone);
    await expect(store.put('abc')).rejects.toMatchObject(gone);
  });

  it.each([
    ['a wrong key', { AWS_SECRET_ACCESS_KEY: 'wrong-secret' }],
    [
      'no key at all',
      { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', AWS_EC2_METADATA_DISABLED: 'true', HOME: '/nonexistent' },
    ],
  ])('%s is told at once, with the cure and without the secret', async (_title, environment) => {
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    const store = await host();
    const error: unknown = await store.getName('runs/r').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'StoreUnreachable', message: expect.stringContaining('AWS_ACCESS_KEY_ID') });
    expect(JSON.stringify([error, (error as Error).message])).not.toMatch(new RegExp(`${SECRET}|wrong-secret`));
  });

  it('is accepted by its probe, which leaves nothing behind', async () => {
    await createS3Store(place, await newFolder(), { patience: PATIENT, probeNow: true });
    expect(await keys('')).toEqual([]);
  });
});

describe('a server without conditional puts', () => {
  it.each(['if-none-match', 'if-match'] as const)(
    'that ignores %s is refused at start, and before any write',
    async (ignores) => {
      const heedless = await startHeedless(ignores);
      doubles.push(heedless);
      const place = { bucket: 'bucket', prefix: '', region: 'us-east-1', endpoint: heedless.endpoint };
      const refused = { code: 'StoreUnreachable', message: expect.stringMatching(/cannot be used: a put with If-/) };
      await expect(createS3Store(place, await newFolder(), { patience: HASTY, probeNow: true })).rejects.toMatchObject(
        refused,
      );
      const store = await createS3Store(place, await newFolder(), { patience: HASTY });
      await expect(store.put('abc')).rejects.toMatchObject(refused);
      await expect(store.createName('runs/r', 1)).rejects.toMatchObject(refused);
      expect(await store.getName('runs/r')).toBeUndefined();
    },
  );
});

describe('the settings of a store', () => {
  const region = 'eu-central-1';
  it('name a bucket, a prefix and a server', () => {
    expect(placeOf({ url: 's3://bucket', region })).toEqual({ bucket: 'bucket', prefix: '', region });
    expect(placeOf({ url: 's3://bucket/team/a/', region, endpoint: 'http://10.0.0.5:8333/' })).toEqual({
      bucket: 'bucket',
      prefix: 'team/a/',
      region,
      endpoint: 'http://10.0.0.5:8333',
    });
  });
  it.each(['', 's3://', 's3://B', 'bucket', 'http://bucket/x', 's3://bucket/../x', 's3://a b/c'])(
    'refuse "%s"',
    (url) => {
      expect(() => placeOf({ url, region })).toThrow('expected s3://bucket');
    },
  );
  it('refuse an address with a password in it, and do not repeat it', () => {
    const endpoint = 'http://me:hush@10.0.0.5';
    expect(() => placeOf({ url: 's3://bucket', region, endpoint })).toThrow(/^(?!.*hush).*STARTRAIL_S3_ENDPOINT/);
    expect(() => placeOf({ url: 's3://bucket', region, endpoint: 'nonsense' })).toThrow('STARTRAIL_S3_ENDPOINT');
  });
});
