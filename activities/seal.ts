/**
 * seal: closes an iteration. Every drawn problem gets exactly one of the ledger's four words, the counts must add up to the
 * number drawn, and the ledger becomes an artifact that holds nothing which differs between two runs of one seed.
 */
import { createHash } from 'node:crypto';
import { accuracyOf } from '../schemas/accuracy.ts';
import type { ArtifactRef } from '../schemas/artifact.ts';
import { canonicalJson } from '../schemas/canonical.ts';
import type { Model } from '../schemas/checkpoint.ts';
import { Problem } from '../schemas/problem.ts';
import type { IterationRecord, IterationSummary, Ledger } from '../schemas/run.ts';
import type { Rows, ScoreShard, Tally } from '../schemas/stage.ts';
import { Judged } from '../schemas/verdict.ts';
import type { LedgerRow, Outcome } from '../schemas/verdict.ts';
import { asSlice, readRows, writeRows } from '../store/rows.ts';
import type { Dependencies } from './dependencies.ts';
import { failure, rethrow } from './failures.ts';

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
  shards: { reused: number; redone: number };
  trained: { rows: number; steps: number; carried: boolean };
  partial: boolean;
}

/** The first that holds: a free sample correct, a hinted one correct, any sample not judged, else rejected. Pure. */
export function outcomeOf(samples: LedgerRow['samples']): Outcome {
  if (samples.some((sample) => !sample.hinted && sample.verdict === 'correct')) return 'accepted-free';
  if (samples.some((sample) => sample.hinted && sample.verdict === 'correct')) return 'accepted-hinted';
  if (samples.length === 0 || samples.some((sample) => sample.verdict === 'unjudged')) return 'unjudged';
  return 'rejected';
}

/** One row per drawn problem, in the order drawn. Throws LedgerBroken for a judged row of a problem nobody drew. Pure. */
export function ledgerRows(drawn: Problem[], judged: Judged[]): LedgerRow[] {
  const samples = new Map<string, LedgerRow['samples']>(drawn.map((problem) => [problem.id, []]));
  if (samples.size !== drawn.length) throw failure('LedgerBroken', 'a problem was drawn twice in one iteration');
  for (const { rationale, verdict, sound } of judged) {
    const of = samples.get(rationale.problem.id);
    if (!of) throw failure('LedgerBroken', `${rationale.problem.id} was judged but never drawn`);
    const why =
      verdict.verdict === 'incorrect' ? verdict.why : verdict.verdict === 'unjudged' ? verdict.cause : undefined;
    of.push({
      hinted: rationale.hinted,
      sample: rationale.sample,
      verdict: verdict.verdict,
      ...(why !== undefined && { why }),
      sound,
    });
  }
  return drawn.map(({ id, stratum }) => {
    const of = (samples.get(id) ?? []).sort((x, y) => Number(x.hinted) - Number(y.hinted) || x.sample - y.sample);
    return { problem: id, stratum, outcome: outcomeOf(of), samples: of };
  });
}

export function countOutcomes(rows: LedgerRow[]): Ledger {
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

/** Share of the accepted rationales in which every step is right; null without a step checker or without any accepted. */
function soundShareOf(judged: Judged[]): number | null {
  const checked = judged.filter((row) => row.verdict.verdict === 'correct' && row.sound !== null);
  return checked.length === 0 ? null : checked.filter((row) => row.sound).length / checked.length;
}

function talliesOf(scores: ScoreShard[], split: 'dev' | 'test'): Record<string, Tally> {
  const tallies: Record<string, Tally> = {};
  for (const shard of scores.filter((score) => score.split === split))
    for (const [stratum, { correct, judged, unjudged }] of Object.entries(shard.byStratum)) {
      const tally = (tallies[stratum] ??= { correct: 0, judged: 0, unjudged: 0 });
      tally.correct += correct;
      tally.judged += judged;
      tally.unjudged += unjudged;
    }
  return tallies;
}

function summaryOf(record: IterationRecord, ref: ArtifactRef): IterationSummary {
  const { n, drawn, ledger, soundShare, dev, accuracy, seconds, model, carried } = record;
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
  };
}

export const seal =
  (deps: Dependencies) =>
  async (input: SealInput): Promise<IterationSummary> => {
    try {
      const read = async <T>(rows: Rows[], schema: Parameters<typeof readRows<T>>[2]) =>
        (await Promise.all(rows.map((one) => readRows<T>(deps.store, asSlice(one), schema)))).flat();
      const drawn = await read(input.drawn, Problem);
      const judged = await read(input.judged, Judged);
      const rows = ledgerRows(drawn, judged);
      const ledger = countOutcomes(rows);
      const ledgerRef: ArtifactRef = await writeRows(deps.store, rows);
      const head = { iteration: input.n, drawn: rows.length, changed: input.changed, rows: ledgerRef.digest };
      const ledgerDigest = `sha256:${createHash('sha256').update(canonicalJson(head)).digest('hex')}`;
      const record: IterationRecord = {
        n: input.n,
        drawn: rows.length,
        ledger,
        soundShare: soundShareOf(judged),
        dev: accuracyOf(talliesOf(input.scores, 'dev')),
        accuracy: accuracyOf(talliesOf(input.scores, 'test')),
        seconds: input.seconds,
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
        attempt: input.attempt,
        changed: input.changed,
        carried: input.trained.carried,
        partial: input.partial,
      };
      return summaryOf(record, await deps.store.put(canonicalJson(record)));
    } catch (error) {
      rethrow(error);
    }
  };
