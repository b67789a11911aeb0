/**
 * starIteration: the interpreter of one iteration, a child workflow of its own line in Temporal's UI.
 *
 * It starts each stage of the recipe's graph when what it reads exists, cuts its rows into shards, and seals the result.
 * It knows ports and shards, no method: STaR and its relatives differ by the recipe it is given.
 */
import { condition, defineQuery, defineSignal, setCurrentDetails, setHandler } from '@temporalio/workflow';
import { ApplicationFailure } from '@temporalio/common';
import type { SealInput } from '../activities/seal.ts';
import type { ArtifactRef } from '../schemas/artifact.ts';
import type { Model } from '../schemas/checkpoint.ts';
import { stageOrder } from '../schemas/recipe.ts';
import type { Recipe } from '../schemas/recipe.ts';
import { QUERIES } from '../schemas/run.ts';
import type { IterationProgress, IterationSummary, ResolvedRun } from '../schemas/run.ts';
import { stageRow } from '../schemas/stage.ts';
import type { Rows, ScoreShard, Slice, StageInput, StageKind, StageOutput } from '../schemas/stage.ts';
import { cutRows } from './shards.ts';
import type { Piece } from './shards.ts';
import { frame, StageCalls } from './stage-calls.ts';

export interface IterationInput {
  resolved: ResolvedRun;
  /** The graph to run: the run's recipe, `prepare`, or the recipe with options changed for this iteration. */
  recipe: Recipe;
  n: number;
  attempt: number;
  model: Model | null;
  base: Model | null;
  changed: Record<string, unknown>;
  shardsInFlight: number;
}

/** `hold`: no new shard starts; `halt`: the same, for good, and the iteration ends unsealed. */
export const gateSignal = defineSignal<['open' | 'hold' | 'halt']>('gate');
export const iterationProgress = defineQuery<IterationProgress>(QUERIES.progress);
/** Type of the failure with which a halted iteration ends. */
export const HALTED = 'Halted';

type Output = StageOutput<StageKind>;
interface StageRun {
  shards: Promise<Output>[];
  all: Promise<Output[]>;
}

export async function starIteration(input: IterationInput): Promise<IterationSummary> {
  let gate: 'open' | 'hold' | 'halt' = 'open';
  setHandler(gateSignal, (next) => {
    if (gate !== 'halt') gate = next;
  });
  const { resolved, recipe } = input;
  const calls: StageCalls = new StageCalls(resolved, input.shardsInFlight, async () => {
    await condition(() => gate !== 'hold');
    if (gate === 'open') return;
    await condition(() => calls.running === 0); // what is under way is finished and stays in the memo
    throw ApplicationFailure.nonRetryable('the run was stopped', HALTED);
  });
  const progress: IterationProgress = { iteration: input.n, stages: {} };
  setHandler(iterationProgress, () => progress);
  for (const [name, stage] of Object.entries(recipe.stages))
    progress.stages[name] = { kind: stage.use, state: 'pending', shardsDone: 0, shards: 0 };

  const runs = new Map<string, Promise<StageRun>>();
  const order = stageOrder(recipe);
  if (!order)
    throw ApplicationFailure.nonRetryable(`${recipe.id}: the stages read each other in a circle`, 'RecipeInvalid');
  const finished: { name: string; outputs: Output[] }[] = [];
  for (const name of order) runs.set(name, startStage(name));
  await Promise.all(
    order.map(async (name) => {
      const run = await (runs.get(name) as Promise<StageRun>);
      finished.push({ name, outputs: await run.all });
      (progress.stages[name] as IterationProgress['stages'][string]).state = 'done';
      setCurrentDetails(detailsOf(progress));
    }),
  );
  finished.sort((x, y) => order.indexOf(x.name) - order.indexOf(y.name));
  return seal();

  /** Everything `ref` stands for, once it exists. */
  async function valueOf(ref: string): Promise<Rows | Model | ScoreShard[] | null | typeof resolved.fresh> {
    const sources: Record<string, Rows | Model | null | typeof resolved.fresh> = {
      $train: null,
      $dev: resolved.dev,
      $test: resolved.test,
      $seeds: resolved.seeds,
      $model: input.model,
      $base: input.base,
      $fresh: resolved.fresh,
    };
    if (ref.startsWith('$')) return sources[ref] ?? null;
    const [name = '', port = stageRow((recipe.stages[name] as Recipe['stages'][string]).use).main as string] =
      ref.split('.');
    const outputs = await (await (runs.get(name) as Promise<StageRun>)).all;
    const values = outputs.map((one) => (one.outputs as Record<string, unknown>)[port]);
    switch (stageRow((recipe.stages[name] as Recipe['stages'][string]).use).outputs[port]) {
      case 'model':
        return values[0] as Model;
      case 'score':
        return values as ScoreShard[];
      default: {
        const shards = values as ArtifactRef[];
        return { shards, rows: shards.reduce((sum, shard) => sum + (shard.rows ?? 0), 0) };
      }
    }
  }

  async function startStage(name: string): Promise<StageRun> {
    const stage = recipe.stages[name] as Recipe['stages'][string];
    const row = stageRow(stage.use);
    const status = progress.stages[name] as IterationProgress['stages'][string];
    const build = (inputs: Record<string, unknown>, index: number, count: number) =>
      ({
        run: resolved.context,
        iteration: input.n,
        attempt: input.attempt,
        stage: name,
        kind: stage.use,
        options: stage.with ?? {},
        inputs,
        carried: input.model,
        shard: { index, count },
      }) as unknown as StageInput;
    const launch = (shards: Promise<StageInput>[]): StageRun => {
      status.shards = shards.length;
      status.state = 'running';
      const running = shards.map(async (shard) => {
        const output: Output = await calls.run<StageKind>(await shard);
        status.shardsDone++;
        return output;
      });
      const all = Promise.all(running);
      all.catch(() => undefined); // whoever awaits it hears of it; a sibling's failure must not be an unhandled rejection
      return { shards: running, all };
    };

    if (row.follows !== undefined) {
      // Shard for shard behind its producer: a verifier works while the engine samples on.
      const [from = '', port = 'rationales'] = (stage.in[row.follows] as string).split('.');
      const upstream = await (runs.get(from) as Promise<StageRun>);
      return launch(
        upstream.shards.map(async (shard, index) => {
          const ref = ((await shard).outputs as Record<string, ArtifactRef>)[port] as ArtifactRef;
          const slice: Slice = { shards: [ref], from: 0, to: ref.rows ?? 0 };
          return build({ [row.follows as string]: slice }, index, upstream.shards.length);
        }),
      );
    }
    const values: Record<string, unknown> = {};
    for (const [port, refs] of Object.entries(stage.in)) {
      const found = await Promise.all([refs].flat().map(valueOf));
      values[port] = row.inputs[port]?.many ? joined(found as Rows[]) : found[0];
    }
    const pieces: Piece[] = cutRows(values, row.shardBy ?? [], resolved.shardSize);
    return launch(pieces.map(async (piece, index) => build(piece, index, pieces.length)));
  }

  async function seal(): Promise<IterationSummary> {
    const of = (kind: StageKind) => finished.filter(({ name }) => recipe.stages[name]?.use === kind);
    const rowsOf = (kinds: StageKind[], ports: string[]): Rows[] =>
      kinds
        .flatMap(of)
        .flatMap(({ outputs }) =>
          ports.map((port) =>
            joinShards(outputs.map((one) => (one.outputs as Record<string, unknown>)[port] as ArtifactRef)),
          ),
        );
    const sum = (outputs: Output[], pick: (one: Output) => number) =>
      outputs.reduce((total, one) => total + pick(one), 0);
    const every = finished.flatMap(({ outputs }) => outputs);
    const trained = of('fine-tune').flatMap(({ outputs }) => outputs.map((one) => one.trained));
    const whole: SealInput = {
      n: input.n,
      attempt: input.attempt,
      changed: input.changed,
      drawn: rowsOf(['draw'], ['problems']),
      judged: rowsOf(['verify'], ['correct', 'incorrect', 'unjudged']),
      examples: rowsOf(['select'], ['examples']),
      scores: of('evaluate').flatMap(({ outputs }) =>
        outputs.map((one) => (one.outputs as { score: ScoreShard }).score),
      ),
      model: (await valueOf(recipe.carry.model)) as Model,
      seconds: Object.fromEntries(finished.map(({ name, outputs }) => [name, sum(outputs, (one) => one.seconds)])),
      tokens: Object.fromEntries(finished.map(({ name, outputs }) => [name, sum(outputs, (one) => one.tokens)])),
      shards: { reused: every.filter((one) => one.reused).length, redone: every.filter((one) => !one.reused).length },
      trained: trained.at(-1) ?? { rows: 0, steps: 0, carried: false },
      partial: every.some((one) => one.partial),
    };
    return calls.mending(() => frame.seal(whole));
  }
}

const joinShards = (shards: ArtifactRef[]): Rows => ({
  shards,
  rows: shards.reduce((sum, shard) => sum + (shard.rows ?? 0), 0),
});
const joined = (all: Rows[]): Rows => joinShards(all.flatMap((rows) => rows.shards));

function detailsOf({ iteration, stages }: IterationProgress): string {
  const rows = Object.entries(stages).map(
    ([name, one]) => `| ${name} | ${one.kind} | ${one.state} | ${one.shardsDone}/${one.shards} |`,
  );
  return [`**Iteration ${iteration}**`, '', '| stage | kind | state | shards |', '|---|---|---|---|', ...rows].join(
    '\n',
  );
}
