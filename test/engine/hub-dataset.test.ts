/** Data sets from the Hub, against a stand-in on the loopback address: what is fetched is what the task reads. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openHub } from '../../engine/hub/client.ts';
import { fetchDataset, type DatasetRequest } from '../../engine/hub/fetch-dataset.ts';
import { HUB } from '../../tasks/hub.ts';
import { taskById } from '../../tasks/index.ts';
import { hubServer, type FakeRepo } from '../support/hub-server.ts';
import { start } from '../cli/fixture/process.ts';

const root = mkdtempSync(path.join(tmpdir(), 'hub-dataset-'));
const COMMIT = 'c0ffee'.padEnd(40, '0');
let hub: Awaited<ReturnType<typeof hubServer>>;
let folder: string;

const parquet = (columns: Record<string, unknown[]>, type: 'STRING' | 'JSON' = 'STRING'): Uint8Array =>
  new Uint8Array(
    parquetWriteBuffer({
      columnData: Object.entries(columns).map(([name, data]) => ({
        name,
        data,
        type: data.every((one) => typeof one === 'string') ? type : typeof data[0] === 'bigint' ? 'INT64' : 'JSON',
      })),
    }),
  );
const mathRow = (level: bigint) => ({ problem: [`What is ${level}+1?`], answer: ['2'], level: [level] });

const gsm = (from: number, count: number) => {
  const numbers = Array.from({ length: count }, (_, index) => from + index);
  return parquet({
    question: numbers.map((n) => `How many are ${n} pears and one?`),
    answer: numbers.map((n) => `${n}+1 = <<${n}+1=${n + 1}>>${n + 1}\n#### ${n + 1}`),
  });
};
const REPOS: Record<string, FakeRepo> = {
  'openai/gsm8k.dataset': {
    ...{ commit: COMMIT, license: 'mit' },
    files: {
      'README.md': '# no',
      'main/train-00001-of-00002.parquet': gsm(100, 40),
      'main/train-00000-of-00002.parquet': gsm(0, 60),
      'main/test-00000-of-00001.parquet': gsm(500, 30),
      'socratic/train-00000-of-00001.parquet': 'no',
    },
  },
  'tau/commonsense_qa.dataset': {
    commit: COMMIT,
    files: Object.fromEntries(
      ['data/train-00000-of-00001.parquet', 'data/validation-00000-of-00001.parquet'].map((name, at) => [
        name,
        parquet({
          id: [`a${at}`],
          question: [`Where is the ${['cat', 'dog'][at]}?`],
          question_concept: ['cat'],
          choices: [{ label: ['A', 'B'], text: ['roof', 'cellar'] }],
          answerKey: ['B'],
        }),
      ]),
    ),
  },
  'HuggingFaceH4/MATH-500.dataset': { commit: COMMIT, files: { 'test.jsonl': '{"problem":"1+1?","answer":"2"}\n\n' } },
  'someone/bigints.dataset': { commit: COMMIT, files: { 'a.parquet': parquet(mathRow(5n)) } },
  'someone/broken.dataset': { commit: COMMIT, files: { 'a.parquet': 'PAR1 no' } },
};

beforeAll(async () => {
  hub = await hubServer(REPOS);
});
afterAll(async () => {
  await hub.close();
  rmSync(root, { recursive: true });
});
beforeEach(() => {
  folder = mkdtempSync(path.join(root, 'datasets-'));
  Object.assign(hub.options, { cutAfter: undefined, hold: undefined, tamper: undefined, busy: [] });
  hub.reads.length = 0;
});
const fetching = (more: Pick<DatasetRequest, 'repo' | 'files'>) =>
  fetchDataset(openHub({ url: hub.url, token: undefined, type: 'dataset' }), {
    ...{ revision: 'main', folder, pauseMs: 1 },
    ...more,
  });
const linesIn = (file: string) =>
  readFileSync(path.join(folder, file), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
const everyRow = (task: string, file: string) => {
  const { dataset } = taskById(task)!;
  return linesIn(file).map((row) => dataset!.row(row, taskById(task)!.parameters.parse({}), new Map()));
};

describe('a data set of the Hub', () => {
  it('is what the task reads: parts in the order of their names, rows in theirs, and where it is from', async () => {
    const { files, commit } = await fetching(HUB.gsm8k!);
    expect(commit).toBe(COMMIT);
    expect(files.map(({ file, rows, fresh }) => [file, rows, fresh])).toEqual([
      ['gsm8k/train.jsonl', 100, true],
      ['gsm8k/test.jsonl', 30, true],
    ]);
    const golds = everyRow('gsm8k', 'gsm8k/train.jsonl').map(({ gold }) => gold[0]);
    expect([golds[0], golds[59], golds[60], golds[99]]).toEqual(['1', '60', '101', '140']);
    expect(everyRow('gsm8k', 'gsm8k/test.jsonl')[0]?.gold).toEqual(['501']);
    const source = JSON.parse(readFileSync(path.join(folder, 'gsm8k/train.jsonl.source.json'), 'utf8')) as unknown;
    expect(source).toMatchObject({ source: 'openai/gsm8k', commit: COMMIT, license: 'mit', rows: 100 });
    expect(readdirSync(path.join(folder, '.fetching'))).toEqual([]);
  });

  it('of CommonsenseQA gets the form its publisher gives it', async () => {
    await fetching(HUB.commonsenseqa!);
    expect(everyRow('commonsenseqa', 'commonsenseqa/dev.jsonl')[0]).toMatchObject({
      question: 'Where is the dog?',
      gold: ['b', 'cellar'],
    });
  });

  it('as JSON lines stays as it is; 64-bit integers become numbers', async () => {
    await fetching(HUB.math!);
    expect(linesIn('math/math500.jsonl')).toEqual([{ problem: '1+1?', answer: '2' }]);
    await fetching({ repo: 'someone/bigints', files: [{ from: /^a\.parquet$/, to: 'b/a.jsonl' }] });
    expect(linesIn('b/a.jsonl')).toEqual([{ problem: 'What is 5+1?', answer: '2', level: 5 }]);
  });

  it('that is there is not fetched again, and goes on where a connection was cut', async () => {
    hub.options.cutAfter = 700;
    const [first] = (await fetching(HUB.gsm8k!)).files;
    expect(hub.reads.filter(({ from }) => from > 0).length).toBeGreaterThan(0);
    hub.reads.length = 0;
    const again = await fetching(HUB.gsm8k!);
    expect(again.files[0]).toEqual({ ...first, fresh: false });
    expect(hub.reads).toEqual([]);
  });

  it('never writes over a file that is there from elsewhere', async () => {
    mkdirSync(path.join(folder, 'gsm8k'));
    writeFileSync(path.join(folder, 'gsm8k/test.jsonl'), 'mine');
    await expect(fetching(HUB.gsm8k!)).rejects.toMatchObject({ code: 'DatasetExists' });
    expect(readFileSync(path.join(folder, 'gsm8k/test.jsonl'), 'utf8')).toBe('mine');
    expect(existsSync(path.join(folder, 'gsm8k/train.jsonl'))).toBe(false);
  });

  it('with other files, other columns or no Parquet is refused with its cure, and nothing is left in its place', async () => {
    const files = [{ from: /^a\.parquet$/, to: 'b/a.jsonl' }];
    await expect(fetching({ ...HUB.math!, files })).rejects.toMatchObject({
      code: 'DatasetUnsupported',
      sentence: expect.stringContaining('has no file like ^a\\.parquet$') as string,
    });
    await expect(fetching({ repo: 'someone/broken', files })).rejects.toMatchObject({ code: 'DatasetUnsupported' });
    const row = HUB.commonsenseqa!.files[0]!.row!;
    await expect(fetching({ repo: 'someone/bigints', files: [{ ...files[0]!, row }] })).rejects.toMatchObject({
      code: 'DatasetUnsupported',
      sentence: expect.stringContaining('other columns') as string,
    });
    expect(existsSync(path.join(folder, 'b'))).toBe(false);
    await expect(fetching({ repo: 'openai/none', files })).rejects.toMatchObject({ code: 'ModelNotFound' });
  });
});

describe('datasets fetch', () => {
  const told = (...words: string[]) =>
    start('../../../cli/main.ts', ['datasets', 'fetch', ...words, '--json'], {
      ...{ STARTRAIL_HOME: path.join(root, 'home'), STARTRAIL_DATASETS: folder, HF_ENDPOINT: hub.url, HF_TOKEN: '' },
    });

  it('says what is where', { timeout: 60_000 }, async () => {
    const done = told('gsm8k');
    expect(await done.exited, done.err()).toBe(0);
    expect(JSON.parse(done.out())).toMatchObject({ task: 'gsm8k', source: 'openai/gsm8k', license: 'mit' });
    expect(done.err()).toContain('gsm8k/train.jsonl: 100 rows, in ');
  });

  it('of a task that has none on the Hub ends with 2 and names those that have', { timeout: 60_000 }, async () => {
    const done = told('legalbench');
    expect(await done.exited).toBe(2);
    expect(done.out()).toContain('gsm8k, commonsenseqa, medqa, math');
  });
});
