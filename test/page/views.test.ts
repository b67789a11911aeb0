/** What the live page shows, as HTML: runs, rationales by filter and search, lineage both ways, comparison; and text of others escaped. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seedOf } from '../../activities/seed.ts';
import { Judged } from '../../schemas/verdict.ts';
import type { RunDocument } from '../../schemas/run.ts';
import { createLocalStore } from '../../store/local.ts';
import { readRows } from '../../store/rows.ts';
import { ask, keepRun, openPage, storeWith } from './fixture.ts';
import type { Opened } from './fixture.ts';

let on: Opened;
let document: RunDocument;
let rows: Judged[];
beforeAll(async () => {
  const made = await storeWith({ iterations: 3, strata: 3, drawn: 300 });
  ({ document } = made);
  const record = document.iterations[3]!;
  const count = record.judged.reduce((all, ref) => all + (ref.rows ?? 0), 0);
  rows = await readRows(made.store, { shards: record.judged, rows: count }, Judged);
  await keepRun(made.store, { ...document, runId: 'night-2', workflowId: 'night-2', seed: 2 });
  on = await openPage(made.store);
});
afterAll(() => on.page.close());

/** The text of a page without its tags. */
async function text(target: string): Promise<string> {
  const { status, body } = await ask(on.page, target, { headers: { accept: 'text/html' } });
  expect(status).toBe(200);
  return body.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ');
}
const base = '/runs/night-1/rationales?iteration=3';

describe('rationales', () => {
  const count = (which: (row: Judged) => boolean) => `${rows.filter(which).length} of ${rows.length} rationales`;

  it.each([
    ['', () => true],
    ['&verdict=incorrect', (row: Judged) => row.verdict.verdict === 'incorrect'],
    ['&form=hinted', (row: Judged) => row.rationale.hinted],
    ['&steps=unsound', (row: Judged) => row.sound === false],
    ['&stratum=2', (row: Judged) => row.rationale.problem.stratum === '2'],
    ['&q=7%2B', (row: Judged) => `${row.rationale.problem.id}\n${row.rationale.text}`.includes('7+')],
    [
      '&verdict=correct&form=hinted&steps=sound',
      (r: Judged) => r.verdict.verdict === 'correct' && r.rationale.hinted && r.sound === true,
    ],
  ])('are those that %s asks for', async (query, which) => {
    expect(await text(base + query)).toContain(count(which));
  });

  it('are found by outcome as the ledger has it', async () => {
    const { ledger } = document.iterations[3]!;
    // Free and hinted attempt of each problem that the hint solved.
    expect(await text(`${base}&outcome=accepted-hinted`)).toContain(`${2 * ledger.acceptedHinted} of`);
    expect(await text(`${base}&outcome=accepted-free`)).toContain(`${ledger.acceptedFree} of`);
  });

  it('come with the reason of the verdict and the wrong step marked', async () => {
    const { body } = await ask(on.page, `${base}&verdict=incorrect&steps=unsound`);
    expect(body).toContain('first wrong step');
    expect(body).toMatch(/<b>Why:<\/b> expected \d+/);
  });

  it('come page by page, each once and all of them', async () => {
    const seen: string[] = [];
    const pages = Math.ceil(rows.length / 24);
    for (let page = 1; page <= pages; page++) {
      const { body } = await ask(on.page, `${base}&page=${page}`);
      seen.push(...[...body.matchAll(/href="[^"]*\/rows\/(\d+)"/g)].map(([, at]) => at!));
    }
    expect(seen).toEqual(rows.map((_, at) => String(at)));
  });

  it.each(['outcome=x', 'page=0', 'iteration=-1', 'q=' + 'a'.repeat(600)])('are refused for %s', async (query) => {
    expect((await ask(on.page, `/runs/night-1/rationales?${query}`)).status).toBe(400);
  });
});

describe('lineage', () => {
  it('leads from a row to its prompt, seed, sampling, model and verdict', async () => {
    const at = rows.findIndex((row) => row.rationale.hinted);
    const { problem, sample } = rows[at]!.rationale;
    const said = await text(`/runs/night-1/iterations/3/rows/${at}`);
    expect(said).toContain(seedOf(1, 'rationalize', 3, problem.id, sample));
    expect(said).toContain(`Prompt, with the hint ${problem.id}=${problem.gold[0]}`);
    expect(said).toContain('stage hinted');
    expect(said).toContain('weights of iteration 2');
    expect(said).toContain(`verdict ${rows[at]!.verdict.verdict}`);
  });

  it('leads from a row to the weights trained on it, and from there back to the row', async () => {
    const at = rows.findLastIndex((row) => row.verdict.verdict === 'correct' && !row.rationale.hinted);
    const { body } = await ask(on.page, `/runs/night-1/iterations/3/rows/${at}`);
    const [, weights] = /href="(\/runs\/night-1\/iterations\/3\/weights\?row=\d+)"/.exec(body) ?? [];
    const there = await ask(on.page, weights!);
    expect(there.body).toContain(`<article class="card asked"`);
    expect(there.body).toContain(`/runs/night-1/iterations/3/rows/${at}"`);
    expect(there.body).toContain(document.iterations[3]!.weightsDigest);
  });

  it('names whoever found the temperature, where it is not the one that the recipe asks for', async () => {
    const { resolved } = document;
    const stages = resolved!.recipe.stages;
    const free = { ...stages.free!, in: { ...stages.free!.in, sampling: 'tuned' } };
    const recipe = { ...resolved!.recipe, stages: { ...stages, free } };
    await keepRun(on.store, { ...document, runId: 'tuned', resolved: { ...resolved!, recipe } });
    const at = rows.findIndex((row) => !row.rationale.hinted);
    expect(await text(`/runs/tuned/iterations/3/rows/${at}`)).toContain('temperature as tuned found it best');
    expect(await text(`/runs/night-1/iterations/3/rows/${at}`)).toMatch(/temperature (\d|by default)/);
  });

  it('says of a row that was not taken that nothing was trained on it', async () => {
    const at = rows.findIndex((row) => row.verdict.verdict === 'incorrect');
    expect(await text(`/runs/night-1/iterations/3/rows/${at}`)).toContain('trained on no');
  });

  it('leads from model to model down to the base', async () => {
    const said = await text('/runs/night-1/weights');
    for (const record of document.iterations) expect(said).toContain(record.weightsDigest.slice(0, 23));
    expect(said).toContain('which iteration 2 sampled');
  });

  it.each(['9/weights', '3/rows/99999', '3/rows/x', '3/nothing', 'x/weights'])('has no %s', async (what) => {
    expect((await ask(on.page, `/runs/night-1/iterations/${what}`)).status).toBe(404);
  });
});

describe('comparison', () => {
  it('of two runs shows their best iterations and what differs', async () => {
    const said = await text('/compare?a=night-1&b=night-2');
    expect(said).toContain('Best iterations');
    expect(said).toContain('addition, seed 1 addition, seed 2');
  });

  it('of two recipes shows what differs', async () => {
    const said = await text('/compare?a=recipe:star&b=recipe:star-without-hints');
    expect(said).toContain('stages.hinted');
    expect(said).not.toContain('Best iterations');
  });

  it.each(['a=nothing&b=night-1', 'a=recipe:nothing&b=night-1'])('has no %s', async (query) => {
    expect((await ask(on.page, `/compare?${query}`)).status).toBe(404);
  });
});

describe('what a model wrote', () => {
  it('is text, wherever it is shown', async () => {
    const nasty = '<script>alert(1)</script><img src=x onerror=alert(1)>"\'`${x}\u001b[31m\u202e</textarea>';
    const { store } = await storeWith(
      { iterations: 1, strata: 2, drawn: 20, text: nasty },
      { reason: nasty, task: nasty, recipe: nasty, fingerprint: nasty },
    );
    const there = await openPage(store);
    const pages = ['/', '/runs/night-1', '/runs/night-1/rationales', '/runs/night-1/iterations/1/rows/0'];
    const more = [
      '/runs/night-1/iterations/1/weights',
      '/compare?a=night-1&b=night-1',
      `/runs/night-1/rationales?q=${encodeURIComponent(nasty)}`,
    ];
    for (const target of [...pages, ...more]) {
      const { status, body } = await ask(there.page, target);
      expect([target, status]).toEqual([target, 200]);
      expect(body).not.toMatch(/<script>|<img|[\u001b\u202e]/);
    }
    expect((await ask(there.page, '/runs/night-1/rationales')).body).toContain('&lt;script&gt;');
    await there.page.close();
  });
});

describe('what is missing', () => {
  it('is named, and the rest is shown', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'page-'));
    const store = await createLocalStore(folder);
    await keepRun(store, document);
    await store.replaceName('runs/torn', { format: 1, runId: 'torn' });
    const there = await openPage(store);
    const list = (await ask(there.page, '/')).body;
    expect(list).toContain('The document of torn');
    expect(list).toContain('/runs/night-1');
    expect((await ask(there.page, '/runs/night-1/rationales')).body).toMatch(/Not to be had: the rows in sha256:\w+…/);
    expect((await ask(there.page, '/runs/night-1')).status).toBe(200);
    await there.page.close();
  });

  it('of a server is said of a run that has not ended', async () => {
    await keepRun(on.store, { ...document, runId: 'open', status: 'running' });
    expect(await text('/runs/open')).toContain('No server answers');
    on.sees = () => {
      throw new Error('CodecKeyMissing: no key of that name');
    };
    const before = on.log.length;
    for (let i = 0; i < 3; i++) expect(await text('/runs/open')).toContain('No server answers');
    expect(on.log.slice(before)).toMatchObject([
      { code: 'LookFailed', target: 'open', message: 'CodecKeyMissing: no key of that name' },
    ]);
  });
});
