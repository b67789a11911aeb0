import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { figuresOf } from '../../report/figures.ts';
import { gather, writeReport } from '../../report/report.ts';
import { choose, samplesOf } from '../../report/samples.ts';
import type { RunDocument } from '../../schemas/run.ts';
import type { Store } from '../../store/store.ts';
import { digest, runOf, temporaryStore } from './fixture.ts';

vi.setConfig({ testTimeout: 30_000 });
const SHAPE = { iterations: 3, strata: 5, drawn: 600 };
const NASTY =
  'line 1 </script><img src=x onerror=alert(1)>\n\u001b[31mred\u0007\n```\n# heading\n[a](javascript:alert(1)) <!-- \n~~~\n]]> "\' &amp;';

let store: Store;
let folder: string;
let run: RunDocument;
beforeAll(async () => {
  ({ store, folder } = await temporaryStore());
  run = await runOf(store, SHAPE);
});
const with_ = (change: Partial<RunDocument>): RunDocument => ({ ...structuredClone(run), ...change });

async function written(document: RunDocument, name: string, from = store) {
  const files = await writeReport(from, document, join(folder, name));
  const [html, markdown, metrics] = await Promise.all(
    [files.html, files.markdown, files.metrics].map((path) => readFile(path, 'utf8')),
  );
  return { html: html ?? '', markdown: markdown ?? '', metrics: metrics ?? '' };
}

describe('the report', () => {
  it('has every figure, wide and narrow, with its caption and its numbers', async () => {
    const { html, markdown } = await written(run, 'whole');
    expect(figuresOf(run).map(({ id }) => id)).toEqual(['accuracy', 'ledger', 'sound', 'speed', 'seconds']);
    for (const { id, title, svg } of figuresOf(run)) {
      expect(svg?.wide).toMatch(/^<svg viewBox/);
      expect(html.split(`aria-labelledby="f-${id}"`)).toHaveLength(2);
      expect(html).toContain(svg?.wide);
      expect(html).toContain(svg?.narrow);
      expect(markdown).toContain(`## ${title}`);
    }
    expect(html.match(/role="img"\s+aria-label="[^"]{20,}"/g)).toHaveLength(5);
    expect(html).toContain(run.ledgerDigest);
    expect(html).toContain('stages.next.with.learningRate');
  });

  it('says of a point what it stands for', () => {
    const [accuracy, ledger] = figuresOf(run);
    expect(accuracy?.svg?.wide).toMatch(
      /<title>digits 3, iteration 2: [\d.]+% \(95%: [\d.]+–[\d.]+\), n = 500<\/title>/,
    );
    expect(ledger?.svg?.wide).toMatch(/<title>iteration 1: rejected \d+ of \d+/);
  });

  it('asks nothing of the network and runs nothing', async () => {
    const { html } = await written(run, 'still');
    expect(html).not.toMatch(/https?:\/\//);
    expect(html).not.toMatch(/<script|<link|<iframe|<img|@import|url\((?!#)/i);
    expect(html).toContain("default-src 'none'");
  });

  it('gives the same bytes for the same run', async () => {
    const again = await temporaryStore();
    const second = await runOf(again.store, SHAPE);
    expect(await written(second, 'second', again.store)).toEqual(await written(run, 'first'));
  });

  it('shows text of a model as text, in HTML and in Markdown', async () => {
    const nasty = await runOf(store, { ...SHAPE, iterations: 1, text: NASTY });
    for (const set of ['runId', 'recipe', 'task', 'reason', 'fingerprint', 'workflowId'] as const) nasty[set] = NASTY;
    for (const record of nasty.iterations) {
      record.seconds[NASTY] = 3;
      record.tokens[NASTY] = 300;
      record.accuracy.byStratum[NASTY] = { accuracy: 0.5, n: 10 };
      record.changed = { [NASTY]: NASTY };
    }
    nasty.input.set = { [NASTY]: NASTY };
    const { html, markdown } = await written(nasty, 'nasty');
    expect(html).not.toMatch(/<script|<img|onerror=alert\(1\)>|<!-- /);
    expect(html).toContain('&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;');

    for (const text of [html, markdown]) expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
    // outside fences and code spans, nothing of it is left
    const outside = withoutCode(markdown);
    expect(outside).not.toMatch(/onerror|javascript:|# heading|<!--/);
    expect(markdown).toContain('onerror');
  });

  it('marks the first wrong step, in both forms', async () => {
    const { html, markdown } = await written(run, 'wrong');
    const { samples } = await gather(store, run);
    const wrong = samples.flatMap((group) => group.samples).filter((one) => one.row?.firstWrongStep !== null).length;
    expect(wrong).toBeGreaterThan(20);
    expect(html.match(/<em>first wrong step/g)?.length).toBeGreaterThanOrEqual(wrong);
    expect(markdown.match(/^- \S*[\d,]/gm)?.length).toBeGreaterThanOrEqual(wrong);
    const row = samples.find((group) => group.outcome === 'rejected')?.samples[0]?.row;
    const line = row?.rationale.text.split('\n')[row.firstWrongStep ?? -1] ?? 'none';
    expect(markdown).toContain(`\n- ${line}`);
    expect(html).toContain(`${line}<em>first wrong step</em>`);
  });

  it.each([
    [
      'running, nothing finished',
      { status: 'running', iterations: [], best: null, resolved: null, ledgerDigest: null, weightsDigest: null },
    ],
    ['failed', { status: 'failed', reason: 'InvalidInput: seed', best: null }],
    ['stopped', { status: 'stopped', best: null }],
  ] as [string, Partial<RunDocument>][])('can be written of a run that is %s', async (name, change) => {
    const { html, markdown } = await written(with_(change), name.slice(0, 5));
    expect(html).toContain(`>${change.status}</span>`);
    expect(html).not.toMatch(/undefined|NaN|Infinity/);
    expect(markdown).not.toMatch(/undefined|NaN|Infinity/);
  });

  it('says that the sound share is not known where there is no step checker', async () => {
    const blind = with_({});
    for (const record of blind.iterations) record.soundShare = null;
    expect((await written(blind, 'blind')).html).toContain('this task has no step checker');
  });

  it('names what is gone from the store, and is written all the same', async () => {
    const gone = with_({});
    for (const record of gone.iterations) record.judged = [{ digest: digest('e'), bytes: 1, rows: 1 }];
    if (gone.resolved) gone.resolved.origins = { digest: digest('f'), bytes: 1 };
    const { html, markdown } = await written(gone, 'gone');
    for (const text of [html, markdown]) {
      expect(text).toContain('ArtifactMissing: sha256:eeeeeeee');
      expect(text).toContain('ArtifactMissing: sha256:ffffffff');
      expect(text.toLowerCase()).toContain('its rationale is not in the store');
    }
    expect(html).not.toContain(store.location);
    const noLedger = with_({});
    for (const record of noLedger.iterations) record.ledgerRef = { digest: digest('e'), bytes: 1, rows: 1 };
    expect((await written(noLedger, 'noledger')).html).toContain('the ledger (ArtifactMissing');
  });
});

describe('the rationales shown', () => {
  it('are up to twenty of each outcome, of the last iteration that has some, with the row that decided', async () => {
    const groups = await samplesOf(store, run);
    expect(groups.map(({ outcome }) => outcome)).toEqual(['accepted-free', 'accepted-hinted', 'rejected', 'unjudged']);
    for (const group of groups) {
      expect(group.samples.length).toBe(Math.min(20, group.of));
      const last = run.iterations.findLast(
        ({ ledger }) =>
          Object.values(ledger)[['accepted-free', 'accepted-hinted', 'rejected', 'unjudged'].indexOf(group.outcome)],
      );
      expect(group.iteration).toBe(last?.n);
    }
    const verdicts = groups.map((group) => [
      ...new Set(group.samples.map(({ row }) => `${row?.rationale.hinted} ${row?.verdict.verdict}`)),
    ]);
    expect(verdicts).toEqual([['false correct'], ['true correct'], ['false incorrect'], ['false unjudged']]);
  });

  it('are taken evenly over the strata, and the others fill up for one that has few', () => {
    const rows = ['10', '2', '1'].flatMap((stratum, s) =>
      Array.from({ length: s === 0 ? 3 : 50 }, (_, i) => ({ problem: `${stratum}/${i}`, stratum })),
    );
    const chosen = choose(rows, 20);
    const count = (stratum: string) => chosen.filter((row) => row.stratum === stratum).length;
    expect([count('1'), count('2'), count('10')]).toEqual([9, 8, 3]);
    expect([...new Set(chosen.map(({ stratum }) => stratum))]).toEqual(['1', '2', '10']);
    expect(choose([...rows].reverse(), 20)).toEqual(chosen);
  });

  it('are found among 10,000 in less than two seconds, the whole report included', async () => {
    const large = await runOf(store, { iterations: 1, strata: 5, drawn: 10_000 });
    const start = process.cpuUsage();
    await writeReport(store, large, join(folder, 'large'));
    const { user, system } = process.cpuUsage(start); // not wall time: other tests run beside this one
    expect((user + system) / 1e6).toBeLessThan(2);
    await rm(join(folder, 'large'), { recursive: true });
  });
});

/** Markdown without its code blocks and code spans, as CommonMark finds them. */
function withoutCode(markdown: string): string {
  const kept: string[] = [];
  let fence: string | null = null;
  for (const line of markdown.split('\n')) {
    if (fence !== null) {
      if (new RegExp(`^${fence}\`*\\s*$`).test(line)) fence = null;
      continue;
    }
    const open = /^(`{3,})[^`]*$/.exec(line)?.[1];
    if (open) fence = open;
    else kept.push(line.replace(/(?<!`)(`+)(?!`)(.*?)(?<!`)\1(?!`)/g, ''));
  }
  return kept.join('\n');
}
