/** Scores of completions under a model, log-probabilities or rewards, for the stages that need them; equal rows are computed once. */
import type { EngineControl, TrainRow } from '../engine/engine.ts';
import type { Model } from '../schemas/checkpoint.ts';
import type { Dependencies } from './dependencies.ts';
import { failure } from './failures.ts';
import { openModel } from './sample.ts';
import type { ShardWork } from './shard.ts';

/** One number for each row, in order. Throws RecipeInvalid where the engine cannot (resolve has refused it before). */
export async function scoreRows(
  { deps, input, engine, busy, control }: ScoringShard,
  model: Model,
  rows: readonly TrainRow[],
): Promise<number[]> {
  const scorer = await engine();
  if (!scorer.score) throw failure('RecipeInvalid', `${noScores(input.run.engine)}, which ${input.kind} needs`);
  const score = scorer.score.bind(scorer);
  const keyOf = ({ prompt, completion, completionTokens }: TrainRow) =>
    JSON.stringify([prompt, completion, completionTokens]);
  const distinct = new Map(rows.map((row) => [keyOf(row), row]));
  const request = { model: await openModel(deps.store, model), rows: [...distinct.values()] };
  const found = request.rows.length === 0 ? [] : await busy('engine', () => score(request, control));
  const scores = new Map([...distinct.keys()].map((key, n) => [key, found[n] as number]));
  return rows.map((row) => scores.get(keyOf(row)) as number);
}

export const noScores = (engine: string): string => `engine ${engine} gives no log-probabilities of given completions`;

type ScoringShard = Pick<ShardWork<'prefer' | 'rank'>, 'engine' | 'busy'> & {
  deps: Dependencies;
  input: { run: { engine: string }; kind: string };
  control: EngineControl;
};
