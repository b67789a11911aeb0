/**
 * `metrics.jsonl`: one flat JSON line per iteration, for tools that plot such lines.
 *
 *   {"iteration":3,"drawn":1000,"ledger/accepted_free":812,"test/accuracy/overall":0.93,"seconds/free":12.1,…}
 *
 * The same document ⇒ the same bytes. What was not measured is null, never 0.
 */
import type { Accuracy, RunDocument } from '../schemas/run.ts';
import { compareStrata } from '../schemas/accuracy.ts';
import { secondsOf, shareOf, tokensPerSecond } from './statistics.ts';

function accuracyKeys(split: 'dev' | 'test', accuracy: Accuracy): Record<string, number | null> {
  const known = accuracy.n > 0;
  const keys: Record<string, number | null> = {
    [`${split}/accuracy/overall`]: known ? accuracy.overall : null,
    [`${split}/ci95/low`]: known ? accuracy.ci95[0] : null,
    [`${split}/ci95/high`]: known ? accuracy.ci95[1] : null,
    [`${split}/n`]: accuracy.n,
    [`${split}/unjudged`]: accuracy.unjudged,
  };
  for (const stratum of Object.keys(accuracy.byStratum).sort(compareStrata))
    keys[`${split}/accuracy/${stratum}`] = accuracy.byStratum[stratum]?.accuracy ?? null;
  return keys;
}

/** All iterations as JSON lines; '' for a run that has none. */
export function metricsLines(document: RunDocument): string {
  return document.iterations
    .map((record) => {
      const { ledger } = record;
      const byStage: Record<string, number | null> = {};
      for (const stage of Object.keys(record.seconds).sort())
        byStage[`seconds/${stage}`] = record.seconds[stage] ?? null;
      for (const stage of Object.keys(record.tokens).sort()) {
        byStage[`tokens/${stage}`] = record.tokens[stage] ?? null;
        byStage[`tokens_per_second/${stage}`] = tokensPerSecond(record, stage);
      }
      const line = {
        run_id: document.runId,
        iteration: record.n,
        drawn: record.drawn,
        'ledger/accepted_free': ledger.acceptedFree,
        'ledger/accepted_hinted': ledger.acceptedHinted,
        'ledger/unjudged': ledger.unjudged,
        'ledger/rejected': ledger.rejected,
        'share/free': shareOf(ledger.acceptedFree, record),
        'share/hinted': shareOf(ledger.acceptedHinted, record),
        'share/sound': record.soundShare,
        ...accuracyKeys('dev', record.dev),
        ...accuracyKeys('test', record.accuracy),
        best: record.n === document.best?.n,
        'train/rows': record.trainedOn,
        'train/steps': record.steps,
        'train/carried': record.carried,
        'seconds/total': secondsOf(record),
        ...byStage,
        'shards/reused': record.shards.reused,
        'shards/redone': record.shards.redone,
        attempt: record.attempt,
        partial: record.partial,
        checkpoint: record.checkpoint,
        weights_digest: record.weightsDigest,
        ledger_digest: record.ledgerDigest,
      };
      return `${JSON.stringify(line)}\n`;
    })
    .join('');
}
