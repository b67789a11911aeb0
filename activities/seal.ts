/** seal: closes an iteration, whose ledger is written by then, with one record of all that came out of it. */
import { accuracyOf } from '../schemas/accuracy.ts';
import type { ArtifactRef } from '../schemas/artifact.ts';
import { canonicalJson } from '../schemas/canonical.ts';
import type { Spent } from '../schemas/budget.ts';
import type { Model } from '../schemas/checkpoint.ts';
import type { IterationRecord, IterationSummary } from '../schemas/run.ts';
import type { StageCounts } from '../schemas/stage-counts.ts';
import { carriedIn } from '../schemas/port-values.ts';
import type { CarriedRows, Rows, ScoreShard, Tally } from '../schemas/port-values.ts';
import type { TextCounts } from '../schemas/measured.ts';
import type { Dependencies } from './dependencies.ts';
import { rethrow } from './failures.ts';
import { addTallies } from './judge.ts';
import { lossesIn } from './perplexity.ts';
import { rankingIn } from './rank.ts';
import type { Written } from './ledger.ts';

export interface SealInput extends CarriedRows {
  n: number;
  attempt: number;
  changed: Record<string, unknown>;
  ledger: Written;
  judged: Rows[];
  examples: Rows[];
  /** Candidates of held-out problems. */
  ranked?: Rows | undefined;
  /** Costs of held-out text. */
  losses?: Rows | undefined;
  scores: ScoreShard[];
  model: Model;
  seconds: Record<string, number>;
  tokens: Record<string, number>;
  shards: StageCounts;
  stages?: Record<string, StageCounts>;
  compared?: IterationRecord['compared'];
  trained: { rows: number; steps: number; carried: boolean };
  partial: boolean;
  /** The iteration whose model sampled, where the run was rolled back to it. */
  rolledBackTo?: number | undefined;
  spent?: Spent;
  drawnNew?: number | undefined;
}

const talliesOf = (scores: ScoreShard[], split: 'dev' | 'test'): Record<string, Tally> =>
  addTallies(scores.filter((score) => score.split === split).map((score) => score.byStratum));

/** Means of what the judged texts hold besides their answers, by stratum; of what nobody counts there is none. */
function textCountsOf(tallies: Record<string, Tally>): TextCounts {
  const meanOf = <T>(of: (tally: Tally) => T | undefined): Record<string, T> | undefined => {
    const known = Object.entries(tallies).flatMap(([stratum, tally]) => {
      const mean = tally.judged === 0 ? undefined : of(tally);
      return mean === undefined ? [] : [[stratum, mean] as const];
    });
    return known.length === 0 ? undefined : Object.fromEntries(known);
  };
  const calls = meanOf(({ calls, judged }) => calls && calls / judged);
  const stepCounts = meanOf(({ steps, judged }) => steps && { own: steps.own / judged, gold: steps.gold / judged });
  return { ...(calls && { calls }), ...(stepCounts && { stepCounts }) };
}

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
    ...carriedIn(record),
    record: ref,
    ...(rolledBackTo !== undefined && { rolledBackTo }),
    ...(spent && { spent }),
  };
}

export const seal =
  (deps: Dependencies) =>
  async (input: SealInput): Promise<IterationSummary> => {
    try {
      const { ledger, drawn, soundShare, ref: ledgerRef, digest: ledgerDigest } = input.ledger;
      const test = talliesOf(input.scores, 'test');
      const record: IterationRecord = {
        n: input.n,
        drawn,
        ledger,
        soundShare,
        dev: accuracyOf(talliesOf(input.scores, 'dev')),
        accuracy: accuracyOf(test),
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
        ...carriedIn(input),
        ...(input.ranked && { ranking: await rankingIn(deps.store, input.ranked) }),
        ...(input.losses && { losses: await lossesIn(deps.store, input.losses) }),
        ...textCountsOf(test),
        tokens: input.tokens,
        shards: input.shards,
        ...(input.stages && { stages: input.stages }),
        ...(input.compared && { compared: input.compared }),
        attempt: input.attempt,
        changed: input.changed,
        carried: input.trained.carried,
        partial: input.partial,
        ...(input.rolledBackTo !== undefined && { rolledBackTo: input.rolledBackTo }),
        ...(input.spent && { spent: input.spent }),
      };
      return summaryOf(record, await deps.store.put(canonicalJson(record)));
    } catch (error) {
      rethrow(error);
    }
  };
