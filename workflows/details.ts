/** The run's table so far, and an iteration's stages, as Markdown for Temporal's UI. Pure. */
import type { IterationProgress, Progress } from '../schemas/run.ts';

const percent = (part: number, of: number) => (of === 0 ? '–' : `${((100 * part) / of).toFixed(1)}%`);

export function runTable({ recipe, task, status, reason, records, decisions = [] }: Progress): string {
  const strata = [...new Set(records.flatMap((record) => Object.keys(record.testByStratum)))].sort(
    (x, y) => Number(x) - Number(y),
  );
  const head = ['iteration', 'drawn', 'free', 'hinted', 'unjudged', 'rejected', 'sound', ...strata, 'test', 'minutes'];
  const rows = records.map((record) => [
    record.n,
    record.drawn,
    percent(record.ledger.acceptedFree, record.drawn),
    percent(record.ledger.acceptedHinted, record.drawn),
    record.ledger.unjudged,
    record.ledger.rejected,
    record.soundShare === null ? '–' : percent(record.soundShare, 1),
    ...strata.map((stratum) => record.testByStratum[stratum]?.toFixed(3) ?? '–'),
    record.test.toFixed(3),
    (record.seconds / 60).toFixed(1),
  ]);
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  return [
    `**${recipe}** on ${task}: ${status}${reason ? ` (${reason})` : ''}`,
    ...choices(status),
    '',
    ...lines,
    ...decided(decisions),
  ].join('\n');
}

const decided = (decisions: NonNullable<Progress['decisions']>): string[] =>
  decisions.length === 0
    ? []
    : ['', ...decisions.map(({ after, action, reason }) => `- after iteration ${after}: ${action} (${reason})`)];

/** What a person who finds the run waiting can send. */
const choices = (status: Progress['status']): string[] =>
  status === 'waiting'
    ? [
        '',
        'It waits for one of these updates:',
        '',
        '- `retryIteration` does what is missing of it again; `{"set": {"<path>": value}}` changes options for it',
        '- the same with `{"set": {"stop.budget.tokens": 2000000}}` goes on with a larger budget, if that is what it waits for',
        '- `abandon` ends the run as failed; what was sealed stays',
        '- `stop` ends the run as stopped; what was sealed stays',
      ]
    : [];

/** The stages of a running iteration. */
export function iterationDetails({ iteration, stages }: IterationProgress): string {
  const rows = Object.entries(stages).map(
    ([name, one]) => `| ${name} | ${one.kind} | ${one.state} | ${one.shardsDone}/${one.shards} |`,
  );
  return [`**Iteration ${iteration}**`, '', '| stage | kind | state | shards |', '|---|---|---|---|', ...rows].join(
    '\n',
  );
}
