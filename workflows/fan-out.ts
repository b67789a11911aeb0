/**
 * fanOut: very many shards of one stage, and of the stages that follow it shard for shard, through a sliding window.
 *
 *   starIteration ── <run>/iteration-003/free    generate 1 → verify 1, generate 2 → verify 2, …    then continue-as-new
 *
 * What a link's history holds is bounded: some hundred shards, then the next link goes on. Finished shards are joined block
 * by block into manifests (activities/join.ts), and those again, so no payload grows with the number of problems either.
 * The shards, their memo keys and their bytes are those that the interpreter would have run without this.
 * Limit: a stage's input is named by at most a few refs, which manifests see to.
 */
import { allHandlersFinished, condition, continueAsNew, getExternalWorkflowHandle } from '@temporalio/workflow';
import { defineQuery, defineSignal, setCurrentDetails, setHandler, workflowInfo } from '@temporalio/workflow';
import type { Model } from '../schemas/checkpoint.ts';
import type { Recipe } from '../schemas/recipe.ts';
import { QUERIES, WORKFLOWS } from '../schemas/run.ts';
import type { ResolvedRun } from '../schemas/run.ts';
import { stageRow } from '../schemas/stage.ts';
import type { StageKind, StageOutput } from '../schemas/stage.ts';
import { ShardGate } from './gate.ts';
import type { GateState } from './gate.ts';
import { followedShard, pieceAt, pieceCount } from './shards.ts';
import { mustHaveParent } from './run-messages.ts';
import { IterationSpending } from './spending.ts';
import type { Purse } from './spending.ts';
import { frame, StageCalls, stageInput } from './stage-calls.ts';

type Output = StageOutput<StageKind>;
type Stage = Recipe['stages'][string];

export interface FanOutInput {
  resolved: ResolvedRun;
  n: number;
  attempt: number;
  carried: Model | null;
  shardsInFlight: number;
  /** The stage that is cut, then those that follow it, each behind its producer. */
  chain: { name: string; stage: Stage }[];
  /** What the first stage reads, by port. */
  values: Record<string, unknown>;
  gate: GateState;
  /** What it may spend, on its own account: what other stages spend meanwhile is not seen here. */
  purse?: Purse | undefined;
}

interface FanOutState {
  /** First shard that is not done. */
  next: number;
  gate: GateState;
  joined: Record<string, Output[]>;
  purse?: Purse | undefined;
}

/** Shards that are joined by one call: their refs (up to four ports each) stay well under 100 KB. */
const BLOCK = 50;
/** Outputs carried from link to link before they are joined again. */
const CARRIED = 24;
/** An activity is three events and the workflow task that it wakes three more. */
const EVENTS_PER_SHARD = 6;
const EVENTS_PER_LINK = 4000;

/** Tells the parent how many shards of these stages are done. */
export const fannedSignal = defineSignal<[string[], number]>('fanned');

/** The outputs of each stage in the chain, joined: few, in the order of their shards. */
export async function fanOut(input: FanOutInput, carried?: FanOutState): Promise<Record<string, Output[]>> {
  mustHaveParent(WORKFLOWS.fanOut);
  const { resolved, chain, values } = input;
  const [first] = chain as [FanOutInput['chain'][number]];
  const shardBy = stageRow(first.stage.use).shardBy ?? [];
  const count = pieceCount(values, shardBy, resolved.shardSize);
  const joined = carried?.joined ?? Object.fromEntries(chain.map(({ name }) => [name, []]));
  const spending = new IterationSpending(carried?.purse ?? input.purse);
  const gate = new ShardGate(carried?.gate ?? input.gate, (state) => spending.hold(state === 'hold'));
  const calls: StageCalls = new StageCalls(
    resolved,
    input.shardsInFlight,
    () => gate.admitted(() => calls.running, spending),
    (kind, output) => spending.add(kind, output),
  );
  const blocksPerLink = Math.max(1, Math.floor(EVENTS_PER_LINK / (EVENTS_PER_SHARD * chain.length) / BLOCK));
  let done = carried?.next ?? 0;
  setHandler(defineQuery<object>(QUERIES.progress), () => ({ stages: chain.map(({ name }) => name), done, count }));

  /** One shard through the chain; in each stage at most `shardsInFlight` at once. */
  const through = async (index: number): Promise<Output[]> => {
    const outputs: Output[] = [];
    for (const { name, stage } of chain) {
      const piece =
        outputs.length === 0
          ? pieceAt(values, shardBy, resolved.shardSize, index)
          : followedShard(stage, (from) => outputs[chain.findIndex((one) => one.name === from)]);
      outputs.push(await calls.run<StageKind>(stageInput(input, name, stage, piece, { index, count })));
    }
    return outputs;
  };
  const join = (outputs: Output[]) => calls.mending(() => frame.join(outputs as StageOutput[])) as Promise<Output[]>;
  const runBlock = (from: number) => {
    const indices = Array.from({ length: Math.min(BLOCK, count - from) }, (_, i) => from + i);
    const all = Promise.all(indices.map(through));
    all.catch(() => undefined); // heard of when its turn to be joined comes
    return all;
  };
  /** In the order of the blocks, whichever ended first. */
  const settle = async (outputs: Output[][]): Promise<void> => {
    for (const [at, { name }] of chain.entries()) {
      const list = [...(joined[name] as Output[]), ...(await join(outputs.map((one) => one[at] as Output)))];
      joined[name] = list.length > CARRIED ? await join(list) : list;
    }
    done += outputs.length;
    await tell();
  };
  const tell = async (): Promise<void> => {
    setCurrentDetails(`${chain.map(({ name }) => name).join(' → ')}: ${done} of ${count} shards`);
    const { parent } = workflowInfo();
    if (!parent) return;
    const names = chain.map(({ name }) => name);
    await getExternalWorkflowHandle(parent.workflowId)
      .signal(fannedSignal, names, done)
      .catch(() => undefined); // a parent that has gone asks for nothing
  };

  const until = Math.min(count, done + blocksPerLink * BLOCK);
  // Two blocks are open at once, so that the window slides over the border between them.
  const open: Promise<Output[][]>[] = [];
  for (let from = done; from < until; from += BLOCK) {
    open.push(runBlock(from));
    if (open.length === 2) await settle(await (open.shift() as Promise<Output[][]>));
  }
  for (const block of open) await settle(await block);
  if (done < count) {
    await condition(allHandlersFinished);
    const state = { next: done, gate: gate.state, joined, purse: spending.left };
    await continueAsNew<typeof fanOut>(input, state);
  }
  return joined;
}

/** The stages that follow `name` shard for shard, and those that follow them, each behind its producer. Pure. */
export function followersOf(recipe: Recipe, name: string, order: string[]): FanOutInput['chain'] {
  const chain = new Set([name]);
  for (const one of order) {
    const stage = recipe.stages[one] as Stage;
    const port = stageRow(stage.use).follows;
    if (port !== undefined && chain.has((stage.in[port] as string).split('.')[0] as string)) chain.add(one);
  }
  return [...chain].map((one) => ({ name: one, stage: recipe.stages[one] as Stage }));
}
