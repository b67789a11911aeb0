/** Rows of published files: sides kept, nothing on two of them, nothing lost uncounted; the snapshot of a run. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { snapshotDataset } from '../../activities/dataset.ts';
import { taskOfRun } from '../../activities/problem-source.ts';
import { planRun } from '../../activities/resolve.ts';
import { recipeById } from '../../recipes/index.ts';
import { RunInput } from '../../schemas/run.ts';
import { createLocalStore } from '../../store/local.ts';
import type { Store } from '../../store/store.ts';
import { problemsOf, withRows } from '../../tasks/dataset.ts';
import type { Dataset } from '../../tasks/dataset.ts';
import gsm8k from '../../tasks/gsm8k.ts';
import { taskById, taskIds } from '../../tasks/index.ts';
import { datasetRows } from '../support/dataset-rows.ts';

type Row = { q: string; a: string };
const rowsOf = (from: number, to: number): Row[] =>
  Array.from({ length: to - from }, (_, n) => ({ q: `Question ${from + n}?`, a: String(n % 5) }));
const dataset = (sides: Dataset['files'] extends (p: never) => infer F ? F : never): Dataset => ({
  source: 'nothing',
  files: () => sides,
  row: (row) => ({ question: (row as Row).q, stratum: 'all', data: {}, gold: [(row as Row).a] }),
  rationale: (row) => row as { question: string; answer: string; rationale: string },
  shots: () => ['Question 3?'],
});
const train = { path: 'd/train.jsonl', side: 'train' } as const;
const test = { path: 'd/test.jsonl', side: 'test' } as const;
const dev = { path: 'd/dev.jsonl', side: 'dev' } as const;

describe('rows become problems', () => {
  it('keeps published sides; without a dev file a tenth of train is dev', () => {
    const files = new Map([
      ['d/train.jsonl', rowsOf(0, 1000)],
      ['d/test.jsonl', rowsOf(2000, 2100)],
    ]);
    const { problems, counts } = problemsOf(dataset([train, test]), {}, files);
    expect(counts).toMatchObject({ rows: 1100, test: 100, duplicates: 0, contaminated: 0, shots: 1 });
    expect(counts.dev).toBeGreaterThan(70);
    expect(counts.dev).toBeLessThan(130);
    expect(counts.train + counts.dev).toBe(1000);
    for (const { data, id } of problems) expect(data.side === 'test').toBe(id.startsWith('test:'));
  });

  it('keeps train whole where there is a dev file, and cuts test by hash where there is no train file', () => {
    const rows = { 'd/train.jsonl': rowsOf(0, 200), 'd/dev.jsonl': rowsOf(200, 230), 'd/test.jsonl': rowsOf(300, 800) };
    const whole = problemsOf(dataset([train, dev, test]), {}, new Map(Object.entries(rows)));
    expect(whole.counts).toMatchObject({ train: 200, dev: 30, test: 500 });
    const alone = problemsOf(dataset([train, test]), {}, new Map([['d/test.jsonl', rowsOf(300, 800)]])).counts;
    expect(alone.train).toBeGreaterThan(350);
    for (const side of [alone.dev, alone.test]) expect(side).toBeGreaterThan(30);
  });

  it('drops from train what is held out, however it is written, and what is there twice; every row is accounted for', () => {
    const held = rowsOf(500, 550);
    const shouted = held.slice(0, 7).map(({ q, a }) => ({ q: ` ${q.toUpperCase()}  `, a }));
    const files = new Map([
      ['d/train.jsonl', [...rowsOf(0, 100), ...shouted, ...rowsOf(0, 4)]],
      ['d/test.jsonl', [...held, held[0]!]],
    ]);
    const { problems, counts } = problemsOf(dataset([train, test]), {}, files);
    expect(counts).toMatchObject({ contaminated: 7, duplicates: 5, test: 50 });
    expect(counts.train + counts.dev + counts.test + counts.duplicates + counts.contaminated).toBe(counts.rows);
    const sides = new Map<string, Set<unknown>>();
    for (const { identity, data } of problems) sides.set(identity, (sides.get(identity) ?? new Set()).add(data.side));
    for (const some of sides.values()) expect(some.size).toBe(1);
  });

  it('joins rationales by question and answer', () => {
    const files = new Map<string, unknown[]>([
      ['d/train.jsonl', rowsOf(0, 40)],
      [
        'd/why.jsonl',
        [
          { question: 'question 6', answer: '1', rationale: 'because' },
          { question: 'question 7', answer: '1', rationale: 'of another answer' },
        ],
      ],
    ]);
    const { problems } = problemsOf(dataset([train, { path: 'd/why.jsonl', side: 'rationales' }]), {}, files);
    expect(problems.filter(({ data }) => data.rationale !== undefined).map(({ id }) => id)).toEqual(['train:7']);
  });
});

describe('the snapshot of a run', () => {
  let folder: string;
  let store: Store;
  const logged: unknown[] = [];
  const log = { info: (_: string, fields?: object) => void logged.push(fields), warn: () => undefined };
  const parameters = gsm8k.parameters.parse({ heldOut: 20, seeds: 3 });
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'datasets-'));
    store = await createLocalStore(path.join(folder, 'store'));
    await mkdir(path.join(folder, 'gsm8k'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const write = (name: string, rows: unknown[]) =>
    writeFile(path.join(folder, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  beforeEach(async () => {
    for (const [name, rows] of Object.entries(datasetRows.gsm8k!)) await write(name, rows);
  });
  const snapshot = () => snapshotDataset({ store, datasets: folder, log }, gsm8k, parameters);

  it('pins files and problems by content; the run draws from what was pinned, whatever the files hold later', async () => {
    const before = await snapshot();
    expect(await snapshot()).toEqual(before);
    expect(logged.at(-1)).toMatchObject({ task: 'gsm8k', rows: 360, test: 60 });
    await write('gsm8k/train.jsonl', datasetRows.gsm8k!['gsm8k/train.jsonl']!.slice(1));
    const after = await snapshot();
    expect(after!.files['gsm8k/train.jsonl']).not.toBe(before!.files['gsm8k/train.jsonl']);
    expect(after!.problems.digest).not.toBe(before!.problems.digest);
    const task = await taskOfRun(store, gsm8k, { dataset: before });
    expect(task.strata(parameters).reduce((sum, { size }) => sum + size, 0)).toBe(360);
    expect(task.heldOut('test', parameters)).toHaveLength(20);
    expect(task.seeds(parameters, 's')).toHaveLength(3);
  });

  it('says what is missing, where it goes and where to get it', async () => {
    await rm(path.join(folder, 'gsm8k/test.jsonl'));
    await expect(snapshot()).rejects.toMatchObject({
      type: 'InvalidInput',
      message: expect.stringMatching(/gsm8k\/test\.jsonl, which is not in .*get GSM8K from github.*STARTRAIL_DATASETS/),
    });
    await expect(snapshotDataset({ store, log }, gsm8k, parameters)).rejects.toThrow(/none is declared/);
  });

  it('names a line that is no row, and a side that has none', async () => {
    await write('gsm8k/test.jsonl', [{ question: 'Why?', answer: 'no mark' }]);
    await expect(snapshot()).rejects.toThrow(/gsm8k\/test\.jsonl line 1 is no row of gsm8k \(answer: /);
    await write('gsm8k/test.jsonl', []);
    await expect(snapshot()).rejects.toThrow(/none of them on the test side/);
  });

  it('leaves a task with problems of its own alone', async () => {
    expect(await snapshotDataset({ store, datasets: folder, log }, taskById('addition')!, {})).toBeUndefined();
  });
});

it('a task without a tokenizer asks for a pretrained model', () => {
  const deps = { recipe: recipeById, recipeIds: ['star'], task: taskById, taskIds: taskIds() };
  const plan = () =>
    planRun(
      { ...deps, engineNames: ['tfjs'], defaultEngine: 'tfjs' },
      RunInput.parse({ recipe: 'star', task: 'gsm8k', parameters: {} }),
    );
  expect(plan).toThrow('model: task gsm8k needs a pretrained model; give --model <name>');
});

it('the gate is cut out of train, and held-out rows do not move', () => {
  const { problems } = problemsOf(gsm8k.dataset!, { seeds: 0 }, new Map(Object.entries(datasetRows.gsm8k!)));
  const task = withRows(gsm8k, problems);
  expect(new Set(problems.map((one) => task.split(one, { seeds: 0 })))).toEqual(new Set(['train', 'dev', 'test']));
});
