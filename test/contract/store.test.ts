import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll } from 'vitest';
import { createLocalStore } from '../../store/local.ts';
import { storeContract } from './store-suite.ts';

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

storeContract('the local store', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'store-'));
  folders.push(folder);
  return [await createLocalStore(folder), await createLocalStore(folder)];
});
