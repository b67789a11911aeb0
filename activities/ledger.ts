/**
 * The ledger of an iteration: every drawn problem gets exactly one of four words, and the counts must add up to the number
 * drawn. Written while the model is evaluated; it holds nothing that differs between two runs of one seed.
 */
import { createHash } from 'node:crypto';
import type { ArtifactRef } from '../schemas/artifact.ts';
import { Problem } from '../schemas/problem.ts';
import type { Ledger } from '../schemas/run.ts';
import type { Rows } from '../schemas/port-values.ts';
import { Judged } from '../schemas/verdict.ts';
import type { LedgerRow, Outcome } from '../schemas/verdict.ts';
import { canonicalJson } from '../schemas/canonical.ts';
import { rowBatches, RowsWriter } from '../store/rows.ts';
import type { Dependencies } from './dependencies.ts';
import { failure, rethrow } from './failures.ts';

export interface LedgerInput {
  n: number;
  changed: Record<string, unknown>;
  /** The iteration whose model sampled, where the run was rolled back to it: a part of the ledger's header. */
  rolledBackTo?: number | undefined;
  drawn: Rows[];
  judged: Rows[];
}

/** A ledger that is written. */
export interface Written {
  ledger: Ledger;
  drawn: number;
  soundShare: number | null;
  ref: ArtifactRef;
  digest: string;
}

/** The first that holds: a free sample correct, a hinted one correct, any sample not judged, else rejected. Pure. */
export function outcomeOf(samples: LedgerRow['samples']): Outcome {
  if (samples.some((sample) => !sample.hinted && sample.verdict === 'correct')) return 'accepted-free';
  if (samples.some((sample) => sample.hinted && sample.verdict === 'correct')) return 'accepted-hinted';
  if (samples.length === 0 || samples.some((sample) => sample.verdict === 'unjudged')) return 'unjudged';
  return 'rejected';
}

/** The ledger as it grows: what was drawn, then what was judged, in any order. Throws LedgerBroken. Pure. */
export class LedgerBuilder {
  private readonly problems = new Map<string, { stratum: string; samples: LedgerRow['samples'] }>();
  private accepted = 0;
  private sound = 0;

  draw(problems: Problem[]): void {
    for (const { id, stratum } of problems) {
      if (this.problems.has(id)) throw failure('LedgerBroken', 'a problem was drawn twice in one iteration');
      this.problems.set(id, { stratum, samples: [] });
    }
  }

  judge(rows: Judged[]): void {
    for (const { rationale, verdict, sound } of rows) {
      const of = this.problems.get(rationale.problem.id);
      if (!of) throw failure('LedgerBroken', `${rationale.problem.id} was judged but never drawn`);
      const why =
        verdict.verdict === 'incorrect' ? verdict.why : verdict.verdict === 'unjudged' ? verdict.cause : undefined;
      of.samples.push({
        hinted: rationale.hinted,
        sample: rationale.sample,
        verdict: verdict.verdict,
        ...(why !== undefined && { why }),
        sound,
      });
      if (verdict.verdict !== 'correct' || sound === null) continue;
      this.accepted++;
      if (sound) this.sound++;
    }
  }

  /** Share of the accepted rationales in which every step is right; null without a step checker or without any accepted. */
  soundShare(): number | null {
    return this.accepted === 0 ? null : this.sound / this.accepted;
  }

  /** One row per drawn problem, in the order drawn. */
  *rows(): Generator<LedgerRow> {
    for (const [problem, { stratum, samples }] of this.problems) {
      samples.sort((x, y) => Number(x.hinted) - Number(y.hinted) || x.sample - y.sample);
      yield { problem, stratum, outcome: outcomeOf(samples), samples };
    }
  }
}

/** Throws LedgerBroken unless the four words cover every row. Pure. */
export function countOutcomes(rows: Pick<LedgerRow, 'outcome'>[]): Ledger {
  const count = (outcome: Outcome) => rows.filter((row) => row.outcome === outcome).length;
  const ledger = {
    acceptedFree: count('accepted-free'),
    acceptedHinted: count('accepted-hinted'),
    rejected: count('rejected'),
    unjudged: count('unjudged'),
  };
  const sum = ledger.acceptedFree + ledger.acceptedHinted + ledger.rejected + ledger.unjudged;
  if (sum !== rows.length) throw failure('LedgerBroken', `the ledger counts ${sum} of ${rows.length} drawn problems`);
  return ledger;
}

export const writeLedger =
  (deps: Dependencies) =>
  async (input: LedgerInput): Promise<Written> => {
    try {
      const building = new LedgerBuilder();
      for (const of of input.drawn) for await (const batch of rowBatches(deps.store, of, Problem)) building.draw(batch);
      for (const of of input.judged)
        for await (const batch of rowBatches(deps.store, of, Judged)) building.judge(batch);
      const outcomes: { outcome: Outcome }[] = [];
      const writer = new RowsWriter(deps.store);
      for (const row of building.rows()) {
        outcomes.push({ outcome: row.outcome });
        await writer.add(row);
      }
      const ledger = countOutcomes(outcomes);
      const { ref, digest: ofRows, rows } = await writer.finish();
      const { n, changed, rolledBackTo } = input;
      const rolledBack = rolledBackTo !== undefined && { rolledBackTo };
      const head = { iteration: n, drawn: rows, changed, rows: ofRows, ...rolledBack };
      const digest = `sha256:${createHash('sha256').update(canonicalJson(head)).digest('hex')}`;
      return { ledger, drawn: rows, soundShare: building.soundShare(), ref, digest };
    } catch (error) {
      rethrow(error);
    }
  };
