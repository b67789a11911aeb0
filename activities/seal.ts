/**
 * seal: closes an iteration. Every drawn problem gets exactly one of the ledger's four words, the counts must add up to the
 * number drawn, and the ledger becomes an artifact that holds nothing which differs between two runs of one seed.
 */
import { createHash } from 'node:crypto';
import { accuracyOf } from '../schemas/accuracy.ts';
import type { ArtifactRef } from '../schemas/artifact.ts';
import { canonicalJson } from '../schemas/canonical.ts';
import type { Spent } from '../schemas/budget.ts';
import type { Model } from '../schemas/checkpoint.ts';
import { Problem } from '../schemas/problem.ts';
import type { IterationRecord, IterationSummary, Ledger } from '../schemas/run.ts';
import type { Rows, ScoreShard, StageCounts, Tally } from '../schemas/stage.ts';
import { Judged } from '../schemas/verdict.ts';
import type { LedgerRow, Outcome } from '../schemas/verdict.ts';
import { rowBatches, RowsWriter } from '../store/rows.ts';
import type { Dependencies } from './dependencies.ts';
import { failure, rethrow } from './failures.ts';
import { addTallies } from './judge.ts';

export interface SealInput {
  n: number;
  attempt: number;
  changed: Record<string, unknown>;
  drawn: Rows[];
  judged: Rows[];
  examples: Rows[];
  scores: ScoreShard[];
  model: Model;
  seconds: Record<string, number>;
  tokens: Record<string, number>;
  shards: StageCounts;
  stages?: Record<string, StageCounts>;
  compared?: IterationRecord['compared'];
  trained: { rows: number; steps: number; carried: boolean };
  partial: boolean;
  /** The iteration whose model sampled, where the run was rolled back to it: a part of the ledger's header. */
  rolledBackTo?: number | undefined;
  spent?: Spent;
  drawnNew?: number | undefined;
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

const talliesOf = (scores: ScoreShard[], split: 'dev' | 'test'): Record<string, Tally> =>
  addTallies(scores.filter((score) => score.split === split).map((score) => score.byStratum));

/** What a run carries of a sealed iteration. Pure. */
export function summaryOf(record: IterationRecord, ref: ArtifactRef): IterationSummary {
  const { n, drawn, ledger, soundShare, dev, accuracy, seconds, model, carried, rolledBackTo, spent } = record;
  return {
    n,
    drawn,
    ledger,
    soundShare,
    dev: dev.overall,
    test: accuracy.overall,
    testByStratum: Object.fromEntries(
      Object.entries(accuracy.byStratum).map(([stratum, one]) => [stratum, one.accuracy]),
    ),
    seconds: Object.values(seconds).reduce((sum, one) => sum + one, 0),
    model,
    carried,
    record: ref,
    ...(rolledBackTo !== undefined && { rolledBackTo }),
    ...(spent && { spent }),
  };
}

export const seal =
  (deps: Dependencies) =>
  async (input: SealInput): Promise<IterationSummary> => {
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
      const { ref: ledgerRef, digest, rows } = await writer.finish();
      const { rolledBackTo } = input;
      const rolledBack = rolledBackTo !== undefined && { rolledBackTo };
      const head = { iteration: input.n, drawn: rows, changed: input.changed, rows: digest, ...rolledBack };
      const ledgerDigest = `sha256:${createHash('sha256').update(canonicalJson(head)).digest('hex')}`;
      const record: IterationRecord = {
        n: input.n,
        drawn: rows,
        ledger,
        soundShare: building.soundShare(),
        dev: accuracyOf(talliesOf(input.scores, 'dev')),
        accuracy: accuracyOf(talliesOf(input.scores, 'test')),
        seconds: input.seconds,
        ...(input.drawnNew !== undefined && { drawnNew: input.drawnNew }),
        trainedOn: input.trained.rows,
        steps: input.trained.steps,
        checkpoint: input.model.checkpoint.digest,
        model: input.model,
        weightsDigest: input.model.weightsDigest,
        ledgerDigest,
        ledgerRef,
        judged: input.judged.flatMap((one) => one.shards),
        scores: input.scores.map(({ split, judged: of }) => ({ split, judged: of })),
        examples: input.examples.flatMap((one) => one.shards),
        tokens: input.tokens,
        shards: input.shards,
        ...(input.stages && { stages: input.stages }),
        ...(input.compared && { compared: input.compared }),
        attempt: input.attempt,
        changed: input.changed,
        carried: input.trained.carried,
        partial: input.partial,
        ...rolledBack,
        ...(input.spent && { spent: input.spent }),
      };
      return summaryOf(record, await deps.store.put(canonicalJson(record)));
    } catch (error) {
      rethrow(error);
    }
  };
