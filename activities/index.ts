/** All activities, by the names workflows call. One per stage kind (the mapped type insists), and those of a run's frame. */
import type { StageInput, StageKind, StageOutput } from '../schemas/stage.ts';
import type { Dependencies } from './dependencies.ts';
import { answers } from './answers.ts';
import { balance } from './balance.ts';
import { confront } from './confront.ts';
import { draw } from './draw.ts';
import { evaluate } from './evaluate.ts';
import { fineTune } from './fine-tune.ts';
import { fork } from './fork.ts';
import { gather } from './gather.ts';
import { hard } from './hard.ts';
import { gate, gateQueue, nightFailed } from './gate.ts';
import { generate } from './generate.ts';
import { beating } from './heartbeat.ts';
import { importModel } from './import.ts';
import { join } from './join.ts';
import { writeLedger } from './ledger.ts';
import { pairs } from './pairs.ts';
import { perplexity } from './perplexity.ts';
import { prefer } from './prefer.ts';
import { publish } from './publish.ts';
import { rank } from './rank.ts';
import { rationalize } from './rationalize.ts';
import { recall } from './recall.ts';
import { repair } from './repair.ts';
import { resolve } from './resolve.ts';
import { rewardModel } from './reward-model.ts';
import { reward } from './reward.ts';
import { seal } from './seal.ts';
import { select } from './select.ts';
import { think } from './think.ts';
import { turns } from './turns.ts';
import { unfiltered } from './unfiltered.ts';
import { verify } from './verify.ts';

export type StageActivities = { [K in StageKind]: (input: StageInput<K>) => Promise<StageOutput<K>> };

export function createActivities(deps: Dependencies) {
  const stages: StageActivities = {
    draw: draw(deps),
    balance: balance(deps),
    generate: generate(deps),
    rationalize: rationalize(deps),
    verify: verify(deps),
    hard: hard(deps),
    select: select(deps),
    gather: gather(deps),
    unfiltered: unfiltered(deps),
    answers: answers(deps),
    import: importModel(deps),
    'fine-tune': fineTune(deps),
    turns: turns(deps),
    reward: reward(deps),
    pairs: pairs(deps),
    prefer: prefer(deps),
    'reward-model': rewardModel(deps),
    think: think(deps),
    perplexity: perplexity(deps),
    rank: rank(deps),
    evaluate: evaluate(deps),
  };
  return {
    ...stages,
    resolve: living(resolve(deps)),
    join: living(join(deps)),
    fork: living(fork(deps)),
    recall: living(recall(deps)),
    confront: living(confront(deps)),
    repair: living(repair(deps)),
    writeLedger: living(writeLedger(deps)),
    seal: living(seal(deps)),
    publish: living(publish(deps)),
    gateQueue: living(gateQueue(deps)),
    gate: living(gate(deps)),
    nightFailed: living(nightFailed(deps)),
  };
}
export type Activities = ReturnType<typeof createActivities>;

/** A frame's activity with heartbeats: without them a killed worker is noticed only when its whole time is up. */
const living =
  <A extends unknown[], R>(act: (...args: A) => Promise<R>) =>
  (...args: A): Promise<R> =>
    beating(() => act(...args));
