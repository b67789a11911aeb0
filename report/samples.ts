/**
 * Rationales to look at: up to twenty of each outcome, from the last iteration that has some, evenly over the strata.
 *
 * Which outcome a problem had is read from the sealed ledger, so that a report can't contradict it; the text comes from the
 * judged rows. What can't be read is named and left out. The same run ⇒ the same choice, on any machine.
 */
import { createHash } from 'node:crypto';
import type { ArtifactRef } from '../schemas/artifact.ts';
import { compareStrata } from '../schemas/accuracy.ts';
import type { IterationRecord, RunDocument } from '../schemas/run.ts';
import type { Outcome } from '../schemas/verdict.ts';
import { Judged, LedgerRow } from '../schemas/verdict.ts';
import type { Store } from '../store/store.ts';
import { readLines } from './artifacts.ts';

export interface Sample {
  problem: string;
  stratum: string;
  /** The ledger knows of at least one rationale; a row that the engine never answered has none. */
  made: boolean;
  /** The rationale that decided the outcome, or null if its row could not be read. */
  row: Judged | null;
  /** The other rationales of this problem, in the order they were made; at most `OTHERS`. */
  others: Judged[];
}

export interface SampleGroup {
  outcome: Outcome;
  /** The iteration the samples are of; null if no iteration had this outcome. */
  iteration: number | null;
  /** Problems of that iteration with this outcome. */
  of: number;
  samples: Sample[];
  /** What could not be read, in a sentence each. */
  missing: string[];
}

const OTHERS = 4;

const COUNT = {
  'accepted-free': (record) => record.ledger.acceptedFree,
  'accepted-hinted': (record) => record.ledger.acceptedHinted,
  unjudged: (record) => record.ledger.unjudged,
  rejected: (record) => record.ledger.rejected,
} satisfies Record<Outcome, (record: IterationRecord) => number>;

const DECIDES = {
  'accepted-free': (row) => !row.rationale.hinted && row.verdict.verdict === 'correct',
  'accepted-hinted': (row) => row.rationale.hinted && row.verdict.verdict === 'correct',
  unjudged: (row) => row.verdict.verdict === 'unjudged',
  rejected: (row) => row.verdict.verdict === 'incorrect',
} satisfies Record<Outcome, (row: Judged) => boolean>;

/** A number of a name that has nothing to do with its place in the data. */
const scattered = (problem: string): string => createHash('sha256').update(problem).digest('hex');

/** At most `most` of these, the strata taking turns, each giving its problems in scattered order; sorted by stratum. */
export function choose<T extends { problem: string; stratum: string }>(rows: T[], most: number): T[] {
  const byStratum = new Map<string, { row: T; key: string }[]>();
  for (const row of rows) {
    const list = byStratum.get(row.stratum) ?? [];
    list.push({ row, key: scattered(row.problem) });
    byStratum.set(row.stratum, list);
  }
  const strata = [...byStratum].sort(([a], [b]) => compareStrata(a, b));
  for (const [, list] of strata) list.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  const chosen = new Map<string, T[]>();
  let left = Math.min(most, rows.length);
  for (let turn = 0; left > 0; turn++)
    for (const [stratum, list] of strata) {
      const next = list[turn];
      if (!next || left === 0) continue;
      chosen.set(stratum, [...(chosen.get(stratum) ?? []), next.row]);
      left -= 1;
    }
  return strata.flatMap(([stratum]) => chosen.get(stratum) ?? []);
}

/** The samples of all four outcomes, in the order accepted-free, accepted-hinted, rejected, unjudged. Never throws for data. */
export async function samplesOf(store: Store, document: RunDocument, most = 20): Promise<SampleGroup[]> {
  const groups = (['accepted-free', 'accepted-hinted', 'rejected', 'unjudged'] as const).map((outcome) => {
    const record = document.iterations.findLast((one) => COUNT[outcome](one) > 0);
    const group: SampleGroup = {
      outcome,
      iteration: record?.n ?? null,
      of: record ? COUNT[outcome](record) : 0,
      samples: [],
      missing: [],
    };
    return { group, record };
  });
  for (const record of new Set(groups.flatMap((one) => one.record ?? []))) {
    const mine = groups.filter((one) => one.record === record).map((one) => one.group);
    await fill(store, record, mine, most);
  }
  return groups.map(({ group }) => group);
}

async function fill(store: Store, record: IterationRecord, groups: SampleGroup[], most: number): Promise<void> {
  const ledger = await readLines(store, record.ledgerRef, LedgerRow);
  if (ledger.missing) for (const group of groups) group.missing.push(`the ledger (${ledger.missing})`);
  const wanted = new Map<string, Sample>();
  for (const group of groups) {
    const rows = ledger.rows.filter((row) => row.outcome === group.outcome);
    group.samples = choose(rows, most).map(({ problem, stratum, samples }) => ({
      problem,
      stratum,
      made: samples.length > 0,
      row: null,
      others: [],
    }));
    for (const sample of group.samples) wanted.set(sample.problem, sample);
  }
  const { rows, missing } = await judgedRows(store, record.judged, (problem) => wanted.has(problem));
  for (const group of groups) {
    group.missing.push(...missing);
    for (const sample of group.samples) {
      const own = rows.get(sample.problem) ?? [];
      own.sort(
        (a, b) => Number(a.rationale.hinted) - Number(b.rationale.hinted) || a.rationale.sample - b.rationale.sample,
      );
      sample.row = own.find(DECIDES[group.outcome]) ?? null;
      sample.others = own.filter((row) => row !== sample.row).slice(0, OTHERS);
    }
  }
}

/** Rows of the wanted problems. One shard is held at a time: an iteration may have millions of rows. */
async function judgedRows(
  store: Store,
  shards: ArtifactRef[],
  wanted: (problem: string) => boolean,
): Promise<{ rows: Map<string, Judged[]>; missing: string[] }> {
  const rows = new Map<string, Judged[]>();
  const missing: string[] = [];
  const isWanted = (line: unknown) => {
    const problem = (line as { rationale?: { problem?: { id?: unknown } } } | null)?.rationale?.problem?.id;
    return typeof problem === 'string' && wanted(problem);
  };
  for (const shard of shards) {
    const read = await readLines(store, shard, Judged, isWanted);
    if (read.missing) missing.push(`judged rows (${read.missing})`);
    for (const row of read.rows) {
      const problem = row.rationale.problem.id;
      rows.set(problem, [...(rows.get(problem) ?? []), row]);
    }
  }
  return { rows, missing };
}
