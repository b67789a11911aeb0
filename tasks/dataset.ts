/**
 * A task over published files: what the files are, and what becomes of their rows.
 *
 *   const { problems, counts } = problemsOf(gsm8k.dataset, parameters, rowsByFile)
 *   const task = withRows(gsm8k, problems)       // the same task, with something to draw
 *
 * A task in `tasks/` has no rows: whoever starts a run reads the files once and pins what they held (activities/dataset.ts).
 * Published sides are kept: a test file is test, a dev file dev, a train file train. Where there is no dev file, a tenth of
 * train is dev by the identity's hash; where there is no train file, test is cut by hash into all three.
 *
 * An identity is the hash of the normalised question, and stands on one side: what is in test is dropped from dev and train,
 * what is in dev from train. Rows that say the same word for word are one problem. All of it is counted.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson } from '../schemas/canonical.ts';
import type { Problem, Split } from '../schemas/problem.ts';
import { permutation } from './permutation.ts';
import { placeOf, sideOf, strataOf } from './source.ts';
import { HELD_OUT } from './splits.ts';
import type { Task } from './task.ts';

export interface DatasetFile {
  /** Inside the folder of data sets, with `/`; JSON lines. */
  path: string;
  /**
   * `any`: cut by hash, whatever else there is. `rationales`: somebody's explanations of the other files' questions.
   * `lookup`: one JSON list that the rows refer to; declared before them.
   */
  side: Split | 'any' | 'rationales' | 'lookup';
  /** The task does without it. */
  optional?: true;
}

export interface DatasetRow {
  /** What the identity is made of. */
  question: string;
  stratum: string;
  data: Record<string, unknown>;
  /** Accepted forms of the answer; the first is the one shown as a hint. */
  gold: string[];
  /** A human's way to the answer. */
  rationale?: string;
  /** Where the task itself cuts: by what several questions are about. */
  side?: Split;
}
/** Rows of the task's `lookup` files by their paths. */
export type Lookups = ReadonlyMap<string, readonly unknown[]>;

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- as in Task
export interface Dataset<P = any> {
  /** What to get and from where, for whoever has not got it. */
  source: string;
  files(parameters: P): DatasetFile[];
  /** Throws for a row of another layout. */
  row(row: unknown, parameters: P, lookups: Lookups): DatasetRow;
  /** Of a file of rationales: which question, which answer, why; undefined = not worth having. */
  rationale?(row: unknown): { question: string; answer: string; rationale: string } | undefined;
  /** Questions of the task's few-shot examples, which must not be among the rows. */
  shots(parameters: P): string[];
}

export const DatasetParameters = z.strictObject({
  /** At most so many held-out problems a side; absent: all of test, 500 of dev. */
  heldOut: z.int().min(1).optional(),
  /** So many human rationales of the train side, where the files have some, are what the base learns the form from. */
  seeds: z.int().min(0).default(0),
});
export type DatasetParameters = z.infer<typeof DatasetParameters>;

/** What became of the rows: `rows` = what is kept on the three sides + `duplicates` + `contaminated`. */
export interface DatasetCounts {
  rows: number;
  train: number;
  dev: number;
  test: number;
  /** The same question, choices and answer once more. */
  duplicates: number;
  /** Of train or dev, dropped because the question is held out. */
  contaminated: number;
  /** Questions of the few-shot examples that are among the rows. */
  shots: number;
}

/** Case, spaces and punctuation apart; signs that mathematics lives of stay. */
export const normalQuestion = (question: string): string =>
  question
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\s.,;:!?'"“”‘’`]+/g, ' ')
    .trim();

export const identityOf = (question: string): string =>
  createHash('sha256').update(normalQuestion(question)).digest('hex').slice(0, 20);

const RANK: Record<Split, number> = { train: 0, dev: 1, test: 2 };
const rationaleKey = (question: string, answer: string): string => `${identityOf(question)} ${normalQuestion(answer)}`;

interface Read {
  row: DatasetRow;
  identity: string;
  side: Split;
  /** File and line. */
  id: string;
}

/** Problems of the files' rows, in the order of files and lines. Pure. Throws what `dataset.row` throws. */
export function problemsOf<P>(
  dataset: Dataset<P>,
  parameters: P,
  files: ReadonlyMap<string, readonly unknown[]>,
): { problems: Problem[]; counts: DatasetCounts } {
  const declared = dataset.files(parameters).filter(({ path }) => files.has(path));
  const has = (side: DatasetFile['side']) => declared.some((file) => file.side === side);
  const explanations = new Map<string, string>();
  const read: Read[] = [];
  for (const { path, side } of declared)
    for (const [index, json] of files.get(path)!.entries()) {
      if (side === 'rationales') {
        const found = dataset.rationale?.(json);
        const key = found && rationaleKey(found.question, found.answer);
        if (key !== undefined && !explanations.has(key)) explanations.set(key, found!.rationale);
        continue;
      }
      if (side === 'lookup') continue;
      const row = dataset.row(json, parameters, files);
      const identity = identityOf(row.question);
      const byHash = sideOf({ identity });
      const at =
        row.side ??
        (side === 'any' || (side === 'test' && !has('train') && !has('any'))
          ? byHash
          : side === 'train' && !has('dev') && byHash === 'dev'
            ? 'dev'
            : side);
      read.push({ row, identity, side: at, id: `${path.replace(/^.*\//, '').replace(/\.jsonl$/, '')}:${index + 1}` });
    }
  return place(read, explanations, dataset.shots(parameters));
}

function place(read: Read[], explanations: Map<string, string>, shots: string[]) {
  const sides = new Map<string, Split>();
  for (const { identity, side } of read)
    if (RANK[side] >= RANK[sides.get(identity) ?? 'train']) sides.set(identity, side);
  const shown = new Set(shots.map(identityOf));
  const counts: DatasetCounts = {
    rows: read.length,
    train: 0,
    dev: 0,
    test: 0,
    duplicates: 0,
    contaminated: 0,
    shots: 0,
  };
  counts.shots = [...sides.keys()].filter((identity) => shown.has(identity)).length;
  const seen = new Set<string>();
  const problems: Problem[] = [];
  for (const { row, identity, side, id } of read) {
    const content = canonicalJson([identity, row.data, row.gold]);
    if (side !== sides.get(identity)) counts.contaminated++;
    else if (seen.has(content)) counts.duplicates++;
    else {
      seen.add(content);
      counts[side]++;
      const rationale =
        row.rationale ?? row.gold.map((form) => explanations.get(rationaleKey(row.question, form))).find(Boolean);
      const data = { ...row.data, side, ...(rationale !== undefined && { rationale }) };
      problems.push({ id, identity, stratum: row.stratum, data, gold: row.gold });
    }
  }
  return { problems, counts };
}

/** What a task over published files has before its rows are read: its problems stand on the side they were found on. */
export const noRows = {
  strata: () => [],
  split: ({ data }: Problem) => data.side as Split,
  heldOut: () => [],
  seeds: () => [],
} satisfies Partial<Task>;

/** The task with the problems of its files. */
export function withRows<P extends DatasetParameters>(task: Task<P>, problems: readonly Problem[]): Task<P> {
  const on = (side: Split) => problems.filter(({ data }) => data.side === side);
  return {
    ...task,
    strata: () => strataOf(problems),
    heldOut: (side, { heldOut = side === 'dev' ? HELD_OUT : Infinity }) => {
      const first = new Map<string, Problem>();
      for (const problem of on(side)) if (!first.has(problem.identity)) first.set(problem.identity, problem);
      const ranked = [...first.values()].sort((x, y) => placeOf(x.identity) - placeOf(y.identity)).slice(0, heldOut);
      return strataOf(ranked).flatMap(({ size, at }) => Array.from({ length: size }, (_, index) => at(index)));
    },
    seeds: ({ seeds }, seed) => {
      const explained = on('train').filter(({ data }) => typeof data.rationale === 'string');
      const order = permutation(explained.length, `seeds\n${seed}`);
      const chosen = Array.from({ length: Math.min(seeds, explained.length) }, (_, index) => explained[order(index)]!);
      return chosen.map((problem) => ({ problem, rationale: task.goldCompletion(problem) }));
    },
  };
}
