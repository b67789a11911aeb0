import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createLocalStore } from '../../store/local.ts';
import { storeContract } from './store-suite.ts';

storeContract('the local store', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'store-'));
  return [await createLocalStore(folder), await createLocalStore(folder)];
});
