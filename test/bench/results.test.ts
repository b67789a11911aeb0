import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { figure } from '../../bench/figure.ts';
import { content, updateReadme, withTable } from '../../bench/readme.ts';
import { readResults, writeResult } from '../../bench/results.ts';
import { BenchDocument } from '../../bench/row.ts';
import type { BenchRow, BenchResult } from '../../bench/row.ts';
import { rows } from '../../bench/rows/index.ts';
import { table } from '../../bench/table.ts';

const machine = { cpu: 'a CPU', cores: 2, memoryGiB: 8, load: 0.1, system: 'linux x64', node: '26.0.0', commit: 'abc' };
const row = (name: string, ratio: number | null): BenchRow => ({
  name,
  about: `about ${name}`,
  ours: 12_345.6,
  peer: ratio === null ? null : 12_345.6 / ratio,
  peerName: ratio === null ? null : 'a peer',
  ratio,
  unit: 'tokens/s',
  spread: { ours: [12_000, 13_000], peer: null, ratio: ratio === null ? null : [ratio * 0.9, ratio * 1.1] },
  repetitions: 5,
  beside: [{ peerName: 'another', peer: null, ratio: null, spread: null, note: 'not | installed' }],
  sides: { ours: { threads: 2 } },
  samples: { ours: [1] },
});
const result = (name: string, ratio: number | null): BenchResult => ({
  measuredAt: '2030-01-02T03:04:05.000Z',
  machine,
  row: row(name, ratio),
});
const temporary = () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'startrail-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

/** What outside checks read (contracts.md). */
const CONTRACT = [
  ...['train-d64', 'train-d256', 'train-smollm2-lora', 'generate-tiny', 'generate-smollm2', 'generate-tiny-plain'],
  ...['generate-smollm2-plain', 'orchestration-overhead', 'resume-seconds', 'fan-out-million'],
];

describe('the document', () => {
  it('has a row file for each name of the contract, each name once', () => {
    const names = rows.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(CONTRACT));
    expect(new Set(names).size).toBe(names.length);
  });

  it('has the keys of the contract in each row, and refuses a row without them', () => {
    const document = { machine, rows: [row('train-d64', 1.2)], notAvailable: [] };
    expect(Object.keys(BenchDocument.parse(document).rows[0]!)).toEqual(
      expect.arrayContaining(['name', 'ours', 'peer', 'peerName', 'ratio', 'unit', 'spread']),
    );
    const { ratio: _, ...lacking } = row('train-d64', 1.2);
    expect(() => BenchDocument.parse({ ...document, rows: [lacking] })).toThrow();
  });

  it('tells in the table what was not measured and why', () => {
    const text = table({ machine, rows: [row('a', 2)], notAvailable: [{ name: 'b', reason: 'No b yet.' }] });
    expect(text).toContain('not measured: b: No b yet.');
    expect(text).toContain('2.00×');
  });
});

describe('results', () => {
  it('are read as they were written, in the order of the rows', () => {
    const folder = temporary();
    for (const name of ['resume-seconds', 'train-d64', 'zzz']) writeResult(result(name, 1.5), folder);
    expect(readResults(folder).map(({ row: { name } }) => name)).toEqual(['train-d64', 'resume-seconds', 'zzz']);
    expect(readResults(folder)[0]).toEqual(result('train-d64', 1.5));
  });

  it('that are damaged are named with the cure', () => {
    const folder = temporary();
    writeFileSync(path.join(folder, 'train-d64.json'), '{"row":{}}');
    expect(() => readResults(folder)).toThrow(/bench\/results\/train-d64\.json: .*npm run bench -- train-d64/);
  });

  it('are drawn as one SVG file, the same bytes for the same rows, without those that have no ratio', () => {
    const drawing = figure([row('train-d64', 1.5), row('shard-overhead', null)]);
    expect(drawing).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg"/);
    expect(drawing).toContain('train-d64');
    expect(drawing).not.toContain('shard-overhead');
    expect(figure([row('train-d64', 1.5), row('shard-overhead', null)])).toBe(drawing);
  });
});

describe('the table of README.md', () => {
  const text = 'before\n\n<!-- bench:begin -->\nold\n<!-- bench:end -->\n\nafter\n';

  it('stands between the markers; nothing else of the text changes', () => {
    const after = withTable(text, 'new');
    expect(after).toBe('before\n\n<!-- bench:begin -->\n\nnew\n\n<!-- bench:end -->\n\nafter\n');
    expect(withTable(after, 'new')).toBe(after);
  });

  it.each([
    ['no marker', 'text'],
    ['the first alone', '<!-- bench:begin -->'],
    ['both in the wrong order', '<!-- bench:end --> <!-- bench:begin -->'],
    ['one of them twice', `${text}${text}`],
  ])('is refused where there is %s', (_case, broken) => {
    expect(() => withTable(broken, 'new')).toThrow(/expected one line <!-- bench:begin -->/);
  });

  it('has a line per row with the figures of its file, and says where and when it was measured', () => {
    const lines = content([result('train-d64', 1.5), result('train-d256', 0.97)]).split('\n');
    expect(lines.find((line) => line.includes('`train-d64`'))).toMatch(
      /12,346 \| 8,230 \(a peer\) .* 1\.50× \| 1\.35–1\.65 \|/,
    );
    expect(lines.find((line) => line.includes('`train-d256`'))).toContain('0.97×');
    expect(lines.filter((line) => line.includes('not \\| installed'))).toHaveLength(2);
    expect(lines.at(-1)).toBe(
      '- a CPU, 2 cores, 8 GiB, linux x64, Node 26.0.0; 2030-01-02, commit abc, load 0.1: `train-d64`, `train-d256`',
    );
  });

  it('is written once: the second time the file is as it was', () => {
    const file = path.join(temporary(), 'README.md');
    writeFileSync(file, text);
    expect(updateReadme([result('train-d64', 1.5)], file)).toBe(true);
    expect(readFileSync(file, 'utf8')).toContain('1.50×');
    expect(updateReadme([result('train-d64', 1.5)], file)).toBe(false);
  });
});
