/** What a page that is looked at every second asks of the store. */
import { beforeEach, expect, it } from 'vitest';
import { createArchive } from '../../page/archive.ts';
import { createRowArchive } from '../../page/rows.ts';
import type { RunDocument } from '../../schemas/run.ts';
import type { Store } from '../../store/store.ts';
import { writeRows } from '../../store/rows.ts';
import { keepRun, storeWith } from './fixture.ts';

let store: Store;
let document: RunDocument;
/** Names and digests that were read. */
let asked: string[];
beforeEach(async () => {
  const made = await storeWith({ iterations: 1, strata: 2, drawn: 20 });
  document = made.document;
  asked = [];
  store = {
    ...made.store,
    getName: (name) => (asked.push(name), made.store.getName(name)),
    read: (digest) => (asked.push(digest), made.store.read(digest)),
  };
});

it('reads runs that go on for each list, those that have ended now and then, and sees them change', async () => {
  await keepRun(store, { ...document, runId: 'open', status: 'running' });
  let now = 0;
  const archive = createArchive(store, () => now);
  await archive.runs();
  asked = [];
  now = 1_000;
  await archive.runs();
  expect(asked).toEqual(['runs/open']);
  await keepRun(store, { ...document, status: 'running', updatedAt: '2027-01-01T00:00:00.000Z' });
  now = 16_000;
  const { documents } = await archive.runs();
  expect(documents.map(({ runId, status }) => [runId, status])).toContainEqual(['night-1', 'running']);
});

it('reads rows once, also those that have another shape, and again what was gone', async () => {
  const record = document.iterations[1]!;
  const odd = { ...record, judged: [...record.judged, await writeRows(store, [{ no: 'rationale' }])] };
  const rows = createRowArchive(store);
  expect((await rows.judged(odd)).missing).toEqual(['1 rows have another shape']);
  asked = [];
  await rows.judged(odd);
  expect(asked).toEqual([]);

  const lost = { ...odd, judged: [{ ...odd.judged[0]!, digest: `sha256:${'0'.repeat(64)}` }] };
  expect((await rows.judged(lost)).missing).toHaveLength(1);
  asked = [];
  await rows.judged(lost);
  expect(asked).toContain(lost.judged[0]!.digest);
});
