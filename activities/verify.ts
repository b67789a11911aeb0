/** verify: every rationale gets a verdict; `unsolved` = problems whose samples were all judged and none was correct. */
import { Rationale } from '../schemas/rationale.ts';
import { Judged } from '../schemas/verdict.ts';
import type { StageOutput } from '../schemas/stage.ts';
import type { Problem } from '../schemas/problem.ts';
import type { Store } from '../store/store.ts';
import { readRows, writeRows } from '../store/rows.ts';
import type { Dependencies } from './dependencies.ts';
import { judgeRows, unjudgedBecause } from './judge.ts';
import { wholeOf } from './sample.ts';
import { stageActivity } from './shard.ts';

export const verify = (deps: Dependencies) =>
  stageActivity<'verify'>(deps, async ({ input, task, previous, control, busy }) => {
    const { store } = deps;
    const rows = await readRows(store, input.inputs.rationales, Rationale);
    const settled = previous ? await judgedEarlier(store, previous) : new Map<string, Judged>();
    const open = rows.filter((row) => !settled.has(keyOf(row)));
    for (const row of await busy('verifier', () => judgeRows(task, open, input.options, control)))
      settled.set(keyOf(row.rationale), row);
    const judged = rows.map((row) => settled.get(keyOf(row)) as Judged);
    const having = (verdict: string) => judged.filter((row) => row.verdict.verdict === verdict);
    const unjudged = having('unjudged');
    const [correct, incorrect, unjudgedRef, unsolved] = await Promise.all([
      writeRows(store, having('correct')),
      writeRows(store, having('incorrect')),
      writeRows(store, unjudged),
      writeRows(store, unsolvedProblems(judged)),
    ]);
    return {
      outputs: { correct, incorrect, unjudged: unjudgedRef, unsolved },
      tokens: 0,
      // An overflow stays one, whoever judges it again: only what may go better next time makes the shard partial.
      partial: unjudged.some((row) => row.rationale.finish !== 'overflow'),
      ...unjudgedBecause(unjudged),
    };
  });

async function judgedEarlier(store: Store, previous: StageOutput<'verify'>): Promise<Map<string, Judged>> {
  const rows = await Promise.all(
    [previous.outputs.correct, previous.outputs.incorrect].map((ref) => readRows(store, wholeOf(ref), Judged)),
  );
  return new Map(rows.flat().map((row) => [keyOf(row.rationale), row]));
}

function unsolvedProblems(judged: Judged[]): Problem[] {
  const byProblem = new Map<string, Judged[]>();
  for (const row of judged) {
    const id = row.rationale.problem.id;
    byProblem.set(id, [...(byProblem.get(id) ?? []), row]);
  }
  return [...byProblem.values()]
    .filter((rows) => rows.every((row) => row.verdict.verdict === 'incorrect'))
    .map((rows) => (rows[0] as Judged).rationale.problem);
}

const keyOf = (row: Rationale): string => `${row.problem.id}/${row.sample}`;
