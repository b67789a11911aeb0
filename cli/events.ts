/** What happened between two looks, as lines for people. Pure. */
import type { IterationSummary } from '../schemas/run.ts';
import { soundnessAlarms } from '../schemas/soundness.ts';
import type { Look } from './look.ts';
import { duration, percent } from './terminal.ts';

export interface Told {
  iteration: number | null;
  records: number;
  status: string;
  /** "iteration/stage" that were told as done. */
  stages: Set<string>;
  retries: Set<string>;
  /** The store does not answer, and that was told. */
  storeAway: boolean;
  stuck: string | null;
}
export const nothingTold = (): Told => ({
  iteration: null,
  records: 0,
  status: '',
  stages: new Set(),
  retries: new Set(),
  storeAway: false,
  stuck: null,
});

const isAway = ({ message }: Look['retries'][number]): boolean => message.startsWith('StoreUnreachable');

export function recordLine(record: IterationSummary): string {
  const { ledger } = record;
  const counts =
    record.drawn === 0
      ? 'the base'
      : `drawn ${record.drawn}: free ${ledger.acceptedFree}, hinted ${ledger.acceptedHinted}, rejected ${ledger.rejected}, unjudged ${ledger.unjudged}`;
  const sound = record.soundShare === null ? '' : ` · sound ${percent(record.soundShare)}`;
  const trained = record.carried ? ' · nothing accepted, model carried' : '';
  const strata = Object.entries(record.testByStratum).map(([name, share]) => `${name}: ${percent(share)}`);
  return `iteration ${record.n} sealed · ${counts}${sound} · test ${percent(record.test)} (${strata.join(', ')})${trained} · ${duration(record.seconds)}`;
}

/** Remembers in `told` what it returns. */
export function newLines(told: Told, look: Look): string[] {
  const lines: string[] = [];
  const { progress, stages } = look;
  if (progress) {
    const alarms = soundnessAlarms(progress.records);
    for (const record of progress.records.slice(told.records)) {
      lines.push(recordLine(record));
      for (const { n, reason } of alarms) if (n === record.n) lines.push(`iteration ${n} · ${reason}`);
    }
    told.records = progress.records.length;
    if (progress.iteration !== null && progress.iteration !== told.iteration) {
      told.iteration = progress.iteration;
      lines.push(
        progress.iteration === 0
          ? 'iteration 0, the base, begins'
          : `iteration ${progress.iteration} of ${progress.iterations} begins`,
      );
    }
    if (stages)
      for (const [name, stage] of Object.entries(stages.stages)) {
        const key = `${stages.iteration}/${name}`;
        // A run followed from its middle: stages of earlier iterations are told by their record.
        if (stage.state !== 'done' || told.stages.has(key)) continue;
        told.stages.add(key);
        if (stages.iteration !== progress.iteration) continue;
        lines.push(`iteration ${stages.iteration} · ${name} done (${stage.shardsDone} of ${stage.shards} shards)`);
      }
    if (progress.status !== told.status) {
      if (told.status !== '' || progress.status !== 'running')
        lines.push(`${progress.status}${progress.reason === null ? '' : `: ${progress.reason}`}`);
      told.status = progress.status;
    }
  }
  // One word at its beginning and one at its end, however many shards wait and however often each tries.
  const away = look.retries.find(isAway);
  if (away && !told.storeAway) lines.push(`waiting for the store · ${away.message}`);
  if (!away && told.storeAway) lines.push('the store answers again');
  told.storeAway = away !== undefined;
  for (const retry of look.retries) {
    if (isAway(retry)) continue;
    const key = `${told.iteration} ${retry.stage} ${retry.attempt} ${retry.message}`;
    if (told.retries.has(key)) continue;
    told.retries.add(key);
    lines.push(`${retry.stage} is tried again (attempt ${retry.attempt}): ${retry.message}`);
  }
  if (look.stuck !== told.stuck) {
    told.stuck = look.stuck;
    if (look.stuck !== null)
      lines.push(
        `the workflow's code fails and is tried again without end: ${look.stuck}. Mend the code, or end the run with \`./bin/startrail stop --now\``,
      );
  }
  return lines;
}
