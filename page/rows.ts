/**
 * The judged rationales and the training rows of an iteration, kept for as long as somebody looks at them: artifacts never
 * change, so that what was read once is right for good. Token ids are left out; nobody reads them here.
 *
 *   const { rows } = await archive.judged(record)     // 10,000 rows: read in some 0.5 s once, filtered in milliseconds
 *
 * Limit: of an iteration the first 100,000 rows are read; who needs the others has `startrail ledger`.
 */
import { z } from 'zod';
import { readLines } from '../report/artifacts.ts';
import type { ArtifactRef } from '../schemas/artifact.ts';
import { Example } from '../schemas/example.ts';
import type { IterationRecord } from '../schemas/run.ts';
import { Judged, LedgerRow } from '../schemas/verdict.ts';
import type { Outcome } from '../schemas/verdict.ts';
import { rowBatches } from '../store/rows.ts';
import type { Store } from '../store/store.ts';

export interface Row {
  /** Its number among the iteration's judged rows: part of its address. */
  at: number;
  judged: Judged;
  tokens: number;
  /** What the ledger says of its problem; null where the ledger can't be read. */
  outcome: Outcome | null;
  /** What a search looks through, in lower case. */
  text: string;
}

interface Read<T> {
  rows: T[];
  /** What could not be read, and what was left out, a sentence each. */
  missing: string[];
  /** Something that may come back could not be read. */
  gone: boolean;
}

const MOST_ROWS = 100_000;

export interface RowArchive {
  judged(record: IterationRecord): Promise<Read<Row>>;
  examples(record: IterationRecord): Promise<Read<Example>>;
}

/** Without its token ids, and how many there were. */
function withoutTokens(line: unknown): { line: unknown; tokens: number } {
  const { rationale } = (line ?? {}) as { rationale?: { tokens?: unknown } };
  const tokens = Array.isArray(rationale?.tokens) ? rationale.tokens.length : 0;
  return { line: { ...(line as object), rationale: { ...rationale, tokens: [] } }, tokens };
}

const reasonOf = ({ verdict }: Judged): string =>
  verdict.verdict === 'incorrect' ? verdict.why : verdict.verdict === 'unjudged' ? verdict.cause : '';

export function createRowArchive(store: Store): RowArchive {
  const judged = keeper<Row>();
  const examples = keeper<Example>();

  async function read<T>(shards: ArtifactRef[], take: (line: unknown) => T | undefined): Promise<Read<T>> {
    const [rows, missing]: [T[], string[]] = [[], []];
    let [odd, gone] = [0, false];
    for (const shard of shards) {
      try {
        for await (const batch of rowBatches(store, { shards: [shard], rows: shard.rows ?? 0 }, z.unknown()))
          for (const line of batch) {
            if (rows.length >= MOST_ROWS)
              return { rows, missing: [...missing, `the first ${MOST_ROWS} rows are shown`], gone };
            const row = take(line);
            if (row === undefined) odd++;
            else rows.push(row);
          }
      } catch {
        gone = true;
        missing.push(`the rows in ${shard.digest.slice(0, 15)}… can't be read`);
      }
    }
    return { rows, missing: odd > 0 ? [...missing, `${odd} rows have another shape`] : missing, gone };
  }

  async function readJudged(record: IterationRecord): Promise<Read<Row>> {
    const ledger = await readLines(store, record.ledgerRef, LedgerRow);
    const outcomes = new Map(ledger.rows.map(({ problem, outcome }) => [problem, outcome]));
    let at = 0;
    const { rows, missing, gone } = await read(record.judged, (found): Row | undefined => {
      const { line, tokens } = withoutTokens(found);
      const { success, data } = Judged.safeParse(line);
      const mine = at++;
      if (!success) return undefined;
      const { problem, text } = data.rationale;
      return {
        ...{ at: mine, judged: data, tokens, outcome: outcomes.get(problem.id) ?? null },
        text: `${problem.id}\n${text}\n${reasonOf(data)}`.toLowerCase(),
      };
    });
    if (ledger.missing === null) return { rows, missing, gone };
    return { rows, missing: [...missing, `the ledger (${ledger.missing})`], gone: true };
  }

  return {
    judged: (record) => judged(record.judged, () => readJudged(record)),
    examples: (record) =>
      examples(record.examples, () => read(record.examples, (line) => Example.safeParse(line).data)),
  };
}

/** Remembers what was read, by the digests it was read from; what was looked at longest ago goes first. */
function keeper<T>() {
  const kept = new Map<string, Promise<Read<T>>>();
  const MOST_KEPT = 8;
  return (from: ArtifactRef[], read: () => Promise<Read<T>>): Promise<Read<T>> => {
    const key = from.map(({ digest }) => digest).join(' ');
    const found = kept.get(key) ?? read();
    kept.delete(key);
    kept.set(key, found);
    const forget = () => kept.get(key) === found && kept.delete(key);
    found.then(({ gone }) => gone && forget(), forget);
    for (const oldest of [...kept.keys()].slice(0, Math.max(0, kept.size - MOST_KEPT))) kept.delete(oldest);
    return found;
  };
}
