/**
 * starIteration: the interpreter of one iteration, a child workflow of its own line in Temporal's UI.
 *
 * It starts each stage of the recipe's graph when what it reads exists, cuts its rows into shards, and seals the result.
 * It knows ports and shards, no method: STaR and its relatives differ by the recipe it is given.
 */
import { defineQuery, ParentClosePolicy, setCurrentDetails, setHandler } from '@temporalio/workflow';
import { startChild, workflowInfo } from '@temporalio/workflow';
import { ApplicationFailure } from '@temporalio/common';
import type { LedgerInput, Written } from '../activities/ledger.ts';
import type { SealInput } from '../activities/seal.ts';
import type { ArtifactRef } from '../schemas/artifact.ts';
import type { Model } from '../schemas/checkpoint.ts';
import { stageOrder, stagesRead } from '../schemas/recipe.ts';
import type { Recipe } from '../schemas/recipe.ts';
import { QUERIES, WORKFLOWS } from '../schemas/run.ts';
import type { IterationProgress, IterationSummary, ResolvedRun, StageProgress } from '../schemas/run.ts';
import { stageRow, type StageInput, type StageKind, type StageOutput } from '../schemas/stage.ts';
import { CARRIED } from '../schemas/port-values.ts';
import type { CarriedRows, Rows, ScoreShard } from '../schemas/port-values.ts';
import { iterationDetails } from './details.ts';
import { fannedSignal, fanOut, followersOf } from './fan-out.ts';
import { gateSignal, ShardGate } from './gate.ts';
import type { GateState } from './gate.ts';
import { judgingTrouble } from './judgements.ts';
import { cutRows, followedShard, joined, joinShards, JUDGED, NO_ROWS, pieceCount, rowsOf } from './shards.ts';
import type { Piece } from './shards.ts';
import { mustHaveParent } from './run-messages.ts';
import { IterationSpending } from './spending.ts';
import type { Purse } from './spending.ts';
import { frame, StageCalls, stageInput } from './stage-calls.ts';
import { shardCounts } from './shard-counts.ts';

export interface IterationInput extends CarriedRows {
  resolved: ResolvedRun;
  /** The graph to run: the run's recipe, `prepare`, or the recipe with options changed for this iteration. */
  recipe: Recipe;
  n: number;
  attempt: number;
  model: Model | null;
  base: Model | null;
  changed: Record<string, unknown>;
  shardsInFlight: number;
  /** What the run may still spend; absent where it has no budget. */
  purse?: Purse | undefined;
  /** Where `model` is not the last iteration's. */
  rolledBackTo?: number | undefined;
}

export const iterationProgress = defineQuery<IterationProgress>(QUERIES.progress);
type Output = StageOutput<StageKind>;
interface StageRun {
  shards: Promise<Output>[];
  all: Promise<Output[]>;
  /** Set where a child runs the shards, and those of the stages that follow: their outputs, joined. */
  fanned?: Promise<Record<string, Output[]>>;
}

export async function starIteration(input: IterationInput): Promise<IterationSummary> {
  mustHaveParent(WORKFLOWS.iteration);
  const { resolved, recipe } = input;
  const above = resolved.fanOutAbove ?? Infinity;
  const fans = new Set<{ signal: (signal: typeof gateSignal, state: GateState) => Promise<void> }>();
  const spending = new IterationSpending(input.purse);
  const gate = new ShardGate('open', (state) => {
    spending.hold(state === 'hold');
    // A child that ends meanwhile needs no gate any more.
    for (const fan of fans) void fan.signal(gateSignal, state).catch(() => undefined);
  });
  const calls: StageCalls = new StageCalls(
    resolved,
    input.shardsInFlight,
    () => gate.admitted(() => calls.running, spending),
    (kind, output) => spending.add(kind, output),
  );
  const progress: IterationProgress = { iteration: input.n, stages: {} };
  setHandler(iterationProgress, () => progress);
  setHandler(fannedSignal, (names, done) => {
    for (const name of names) (progress.stages[name] as StageProgress).shardsDone = done;
    setCurrentDetails(iterationDetails(progress));
  });
  for (const [name, stage] of Object.entries(recipe.stages))
    progress.stages[name] = { kind: stage.use, state: 'pending', shardsDone: 0, shards: 0 };

  const runs = new Map<string, Promise<StageRun>>();
  const order = stageOrder(recipe);
  if (!order)
    throw ApplicationFailure.nonRetryable(`${recipe.id}: the stages read each other in a circle`, 'RecipeInvalid');
  const finished: { name: string; outputs: Output[] }[] = [];
  for (const name of order) runs.set(name, startStage(name));
  const ledger = writeLedger();
  ledger.catch(() => undefined); // heard of at the seal
  await Promise.all(
    order.map(async (name) => {
      const run = await (runs.get(name) as Promise<StageRun>);
      finished.push({ name, outputs: await run.all });
      (progress.stages[name] as IterationProgress['stages'][string]).state = 'done';
      setCurrentDetails(iterationDetails(progress));
    }),
  );
  finished.sort((x, y) => order.indexOf(x.name) - order.indexOf(y.name));
  needJudgements(finished.filter(({ name }) => recipe.stages[name]?.use === 'evaluate'));
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
      ...Object.fromEntries(CARRIED.map((what) => [`$${what}`, input[what] ?? NO_ROWS])),
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
      default:
        return joinShards(values as ArtifactRef[]);
    }
  }

  /** Throws JudgingTrouble. A run of before `judging` stood in its recipe has no limit. */
  function needJudgements(stages: { outputs: Output[] }[]): void {
    const { judging } = recipe;
    if (!judging) return;
    const trouble = judgingTrouble(
      stages.flatMap(({ outputs }) => outputs),
      judging.atMostUnjudged,
    );
    if (trouble !== undefined) throw ApplicationFailure.nonRetryable(trouble, 'JudgingTrouble');
  }

  /** The stages that `name` rests on, however far back. */
  function behind(name: string): string[] {
    const names = stagesRead(recipe.stages[name] as Recipe['stages'][string]);
    return [...new Set(names.flatMap((one) => [one, ...behind(one)]))];
  }

  async function startStage(name: string): Promise<StageRun> {
    const stage = recipe.stages[name] as Recipe['stages'][string];
    const row = stageRow(stage.use);
    if (row.needsJudgements && recipe.judging)
      needJudgements(
        await Promise.all(
          behind(name).map(async (one) => ({ outputs: await (await (runs.get(one) as Promise<StageRun>)).all })),
        ),
      );
    const status = progress.stages[name] as IterationProgress['stages'][string];
    const of = { resolved, n: input.n, attempt: input.attempt, carried: input.model };
    const build = (inputs: Piece, index: number, count: number) =>
      stageInput(of, name, stage, inputs, { index, count });
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
      const [from = ''] = (stage.in[row.follows] as string).split('.');
      const upstream = await (runs.get(from) as Promise<StageRun>);
      const { fanned } = upstream;
      if (fanned) {
        Object.assign(status, { state: 'running', shards: progress.stages[from]?.shards });
        return fannedRun(fanned, name);
      }
      return launch(
        upstream.shards.map(async (shard, index) => {
          const output = await shard;
          return build(
            followedShard(stage, () => output),
            index,
            upstream.shards.length,
          );
        }),
      );
    }
    const values: Record<string, unknown> = {};
    for (const [port, refs] of Object.entries(stage.in)) {
      const found = await Promise.all([refs].flat().map(valueOf));
      values[port] = row.inputs[port]?.many ? joined(found as Rows[]) : found[0];
    }
    const shards = pieceCount(values, row.shardBy ?? [], resolved.shardSize);
    if (row.shardBy && shards > above) {
      Object.assign(status, { state: 'running', shards });
      return fannedRun(fan(name, values), name);
    }
    const pieces: Piece[] = cutRows(values, row.shardBy ?? [], resolved.shardSize);
    return launch(pieces.map(async (piece, index) => build(piece, index, pieces.length)));
  }

  /** Runs a stage's shards in a child, with those of the stages that follow it. */
  async function fan(name: string, values: Record<string, unknown>): Promise<Record<string, Output[]>> {
    const chain = followersOf(recipe, name, order as string[]);
    const { n, attempt, model, shardsInFlight } = input;
    await gate.admitted(() => calls.running, spending);
    const handle = await startChild(fanOut, {
      workflowId: `${workflowInfo().workflowId}/${name}`,
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      staticSummary: `${recipe.id} on ${resolved.context.task}, iteration ${n}: ${chain.map((one) => one.name).join(' → ')}`,
      args: [
        { resolved, n, attempt, carried: model, shardsInFlight, chain, values, gate: gate.state, purse: spending.left },
      ],
    });
    fans.add(handle);
    if (gate.state !== 'open') void handle.signal(gateSignal, gate.state).catch(() => undefined);
    const outputs = await handle.result().finally(() => fans.delete(handle));
    for (const { name: one, stage } of chain) for (const output of outputs[one] ?? []) spending.add(stage.use, output);
    return outputs;
  }

  /**
   * Of what is drawn and judged, while the model is evaluated. Earlier, it would hold up the worker that makes the training
   * data; later, the next iteration.
   */
  async function writeLedger(): Promise<Written> {
    const stagesOf = (kind: StageKind) =>
      Promise.all(
        (order as string[])
          .filter((name) => recipe.stages[name]?.use === kind)
          .map((name) => runs.get(name) as Promise<StageRun>),
      );
    const outputsOf = async (kind: StageKind) => Promise.all((await stagesOf(kind)).map(({ all }) => all));
    const [drawn, judged] = await Promise.all([outputsOf('draw'), outputsOf('verify')]);
    for (const { shards, all } of await stagesOf('evaluate')) await Promise.race([...shards, all]);
    const { n, changed, rolledBackTo } = input;
    const whole: LedgerInput = {
      n,
      changed,
      rolledBackTo,
      drawn: judged.length > 0 ? rowsOf(drawn, ['problems']) : [], // Gold answers to train on have no outcome.
      judged: rowsOf(judged, JUDGED),
    };
    return calls.mending(() => frame.writeLedger.executeWithOptions({ summary: `${input.n} · ledger` }, [whole]));
  }

  async function carried(): Promise<CarriedRows> {
    const named = CARRIED.filter((what) => recipe.carry[what] !== undefined);
    const rows = await Promise.all(named.map((what) => valueOf(recipe.carry[what] as string)));
    return Object.fromEntries(named.map((what, n) => [what, rows[n]]));
  }

  async function seal(): Promise<IterationSummary> {
    const of = (kind: StageKind) => finished.filter(({ name }) => recipe.stages[name]?.use === kind);
    const allOf = (kind: StageKind) => of(kind).map(({ outputs }) => outputs);
    const sum = (outputs: Output[], pick: (one: Output) => number) =>
      outputs.reduce((total, one) => total + pick(one), 0);
    const read = of('fine-tune').flatMap(({ name }) => recipe.stages[name]?.in.examples ?? []);
    const learnedFrom = new Set(read.map((ref) => ref.split('.')[0]));
    const examples = finished.flatMap(({ name, outputs }) => (learnedFrom.has(name) ? [outputs] : []));
    const trained = finished.flatMap(({ outputs }) => outputs.flatMap((one) => one.trained ?? []));
    const whole: SealInput = {
      n: input.n,
      attempt: input.attempt,
      changed: input.changed,
      ledger: await ledger,
      judged: rowsOf(allOf('verify'), JUDGED),
      examples: rowsOf(examples, ['examples']),
      scores: of('evaluate').flatMap(({ outputs }) =>
        outputs.map((one) => (one.outputs as { score: ScoreShard }).score),
      ),
      model: (await valueOf(recipe.carry.model)) as Model,
      ...(await carried()),
      ...(of('rank').length > 0 && { ranked: rowsOf(allOf('rank'), ['ranking'])[0] }),
      ...(of('perplexity').length > 0 && { losses: rowsOf(allOf('perplexity'), ['losses'])[0] }),
      seconds: Object.fromEntries(finished.map(({ name, outputs }) => [name, sum(outputs, (one) => one.seconds)])),
      tokens: Object.fromEntries(finished.map(({ name, outputs }) => [name, sum(outputs, (one) => one.tokens)])),
      ...shardCounts(finished),
      trained: trained.at(-1) ?? { rows: 0, steps: 0, carried: false },
      partial: finished.some(({ outputs }) => outputs.some((one) => one.partial)),
      rolledBackTo: input.rolledBackTo,
      drawnNew: finished.flatMap(({ outputs }) => outputs).find((one) => one.drawnNew !== undefined)?.drawnNew,
      spent: spending.spent,
    };
    return calls.mending(() => frame.seal.executeWithOptions({ summary: `${input.n} · seal` }, [whole]));
  }
}

function fannedRun(fanned: Promise<Record<string, Output[]>>, name: string): StageRun {
  const all = fanned.then((outputs) => outputs[name] as Output[]);
  all.catch(() => undefined); // whoever awaits it hears of it
  return { shards: [], all, fanned };
}
