/** The S3 store against a real server: the contract that the local store keeps too, and what only several machines can show. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, vi } from 'vitest';
import { createS3Store } from '../../store/s3.ts';
import { findS3Server, KEY_ENVIRONMENT, S3Server } from '../support/s3-server.ts';
import { storeContract } from './store-suite.ts';

const found = await findS3Server();
if (found.reason !== undefined) console.warn(found.reason);

describe.skipIf(found.program === undefined)('against a real S3 server', () => {
  let server: S3Server;
  const folders: string[] = [];
  beforeAll(async () => {
    for (const [name, value] of Object.entries(KEY_ENVIRONMENT)) vi.stubEnv(name, value);
    server = new S3Server(found.program ?? '');
    await server.start();
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await server.close();
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  });

  storeContract('the S3 store', async () => {
    const place = { ...(await server.bucket()), prefix: 'team/a/' };
    const folder = await mkdtemp(path.join(tmpdir(), 'store-'));
    folders.push(folder);
    return [await createS3Store(place, folder), await createS3Store(place, folder)];
  });
});
