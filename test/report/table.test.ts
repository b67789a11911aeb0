import { beforeAll, describe, expect, it } from 'vitest';
import { metricsLines } from '../../report/metrics.ts';
import { percent } from '../../report/statistics.ts';
import { columnsOf, markdownTable, runTable } from '../../report/table.ts';
import type { RunDocument } from '../../schemas/run.ts';
import { runOf, temporaryStore } from './fixture.ts';

let run: RunDocument;
beforeAll(async () => {
  run = await runOf((await temporaryStore()).store, { iterations: 3, strata: 5, drawn: 300 });
});
const with_ = (change: Partial<RunDocument>): RunDocument => ({ ...structuredClone(run), ...change });

describe('the table of a run', () => {
  it('has a line per iteration, the best one marked, and the three identities below', () => {
    const lines = runTable(run).split('\n');
    const rows = lines.filter((line) => /^[ *]+\d+ /.test(line));
    expect(rows).toHaveLength(4);
    expect(rows.filter((row) => row.trimStart().startsWith('*'))).toEqual([rows[run.best?.n ?? -1]]);
    expect(lines.at(-3)).toBe(`ledger       ${run.ledgerDigest}`);
    expect(lines.at(-2)).toBe(`weights      ${run.weightsDigest}`);
    expect(lines.at(-1)).toContain('tfjs-node-gpu');
  });

  it('shows the numbers of the record', () => {
    const record = run.iterations[2];
    const { acceptedFree, rejected, unjudged } = record?.ledger ?? { acceptedFree: 0, rejected: 0, unjudged: 0 };
    const cells =
      runTable(run)
        .split('\n')
        .find((line) => /^ +2 /.test(line))
        ?.trim()
        .split(/\s+/) ?? [];
    expect(cells[1]).toBe(percent(acceptedFree / (record?.drawn ?? 1)));
    expect(cells.slice(3, 5)).toEqual([String(unjudged), String(rejected)]);
    expect(cells[6]).toBe(percent(record?.accuracy.byStratum['1']?.accuracy ?? null));
    expect(cells[11]).toBe(percent(record?.accuracy.overall ?? null));
  });

  it('is at most 120 columns wide, for a thousand iterations and large draws too', () => {
    const big = with_({});
    for (const record of big.iterations) {
      record.n += 997;
      record.drawn = 50_000_000;
      record.ledger = { acceptedFree: 10_000_000, acceptedHinted: 10_000_000, rejected: 29_999_000, unjudged: 1_000 };
    }
    big.fingerprint = 'f'.repeat(500);
    big.reason = 'r'.repeat(500);
    for (const document of [run, big])
      for (const line of runTable(document).split('\n')) expect(line.length).toBeLessThanOrEqual(120);
  });

  it('counts the strata it has no room for, and shows them all in Markdown', () => {
    const many = with_({});
    for (const { accuracy } of many.iterations)
      for (let i = 6; i <= 40; i++) accuracy.byStratum[String(i)] = { accuracy: 0.5, n: 10 };
    expect(runTable(many)).toMatch(/… and \d+ more of/);
    expect(columnsOf(many).map(({ head }) => head)).toEqual(expect.arrayContaining(['2', '10', '40']));
    for (const line of runTable(many).split('\n')) expect(line.length).toBeLessThanOrEqual(120);
    expect(markdownTable(many)).toContain('`40`');
  });

  it('orders strata by number', () => {
    const ten = with_({});
    for (const { accuracy } of ten.iterations) accuracy.byStratum['10'] = { accuracy: 0.5, n: 10 };
    const heads = columnsOf(ten)
      .filter(({ group }) => group === 'accuracy')
      .map(({ head }) => head);
    expect(heads).toEqual(['1', '2', '3', '4', '5', '10', 'overall', '95%']);
  });

  it('says where accuracy rises while soundness falls', () => {
    const odd = with_({});
    const [, first, , last] = odd.iterations;
    Object.assign(first!, { soundShare: 0.95, dev: { ...first!.dev, overall: 0.3 } });
    Object.assign(last!, { soundShare: 0.6, dev: { ...last!.dev, overall: 0.8 } });
    for (const text of [runTable(odd), markdownTable(odd)]) expect(text).toContain('accuracy on dev rose from 30.0%');
    expect(runTable(run)).not.toContain('accuracy on dev rose');
  });

  it('says how many calls of tools a text has, by stratum', () => {
    const called = with_({});
    called.iterations[2]!.calls = { 'two-step': 1, small: 0.024 };
    expect(runTable(called)).toContain('calls of tools a text: small 0.02, two-step 1.00');
    expect(runTable(run)).not.toContain('calls of tools');
  });

  it('says how many steps a text has beside its gold, by stratum', () => {
    const counted = with_({});
    counted.iterations[2]!.stepCounts = { '10': { own: 9, gold: 8.04 }, '2': { own: 1.96, gold: 2 } };
    expect(runTable(counted)).toContain('steps a text (of the gold) by stratum 2: 2.0 (2.0), 10: 9.0 (8.0)');
    expect(runTable(run)).not.toContain('steps a text');
  });

  it('lets no control character through', () => {
    const odd = with_({ fingerprint: '\u001b[2Jgone\u0007' });
    for (const { accuracy } of odd.iterations) accuracy.byStratum['\u001b]0;x\u0007|'] = { accuracy: 0.5, n: 10 };

    for (const text of [runTable(odd), markdownTable(odd)]) expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
    expect(markdownTable(odd)).toContain('\\|');
  });

  it('says so where nothing is finished, was drawn or was judged, instead of a zero', () => {
    expect(runTable(with_({ iterations: [], best: null }))).toContain('No iteration is finished yet.');
    const outage = with_({ best: null });
    for (const record of outage.iterations)
      record.accuracy = { overall: 0, ci95: [0, 1], n: 0, unjudged: 9, byStratum: {} };
    const row =
      runTable(outage)
        .split('\n')
        .find((line) => /^ +0 /.test(line)) ?? '';
    expect(row.trim().split(/\s+/)).toEqual(['0', '–', '–', '–', '–', '–', '–', '–', '1.2']);
  });

  it('never rounds an imperfect share to 100 or a small one to 0', () => {
    expect([1, 0.9999, 0.00001, 0, null].map(percent)).toEqual(['100', '99.9', '0.1', '0', '–']);
  });
});

describe('metrics.jsonl', () => {
  it('is one flat line per iteration, with null for what was not measured', () => {
    const lines = metricsLines(run)
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.map((line) => line['iteration'])).toEqual([0, 1, 2, 3]);
    for (const line of lines)
      for (const value of Object.values(line)) expect(value === null || typeof value !== 'object').toBe(true);
    expect(lines[0]?.['share/free']).toBeNull();
    const record = run.iterations[3];
    expect(lines[3]).toMatchObject({
      'ledger/accepted_free': record?.ledger.acceptedFree,
      'test/accuracy/overall': record?.accuracy.overall,
      'test/accuracy/3': record?.accuracy.byStratum['3']?.accuracy,
      'seconds/free': record?.seconds['free'],
    });
    expect(metricsLines(with_({ iterations: [] }))).toBe('');
  });
});
