/** rationalize: the problems that free samples did not solve, again, with the answer as a hint in the prompt (STaR §3.2). */
import type { Dependencies } from './dependencies.ts';
import { dropJournal } from './journal.ts';
import { sampleStage } from './sample.ts';
import { stageActivity } from './shard.ts';

export const rationalize = (deps: Dependencies) =>
  stageActivity<'rationalize'>(deps, (shard) => sampleStage(shard, true), dropJournal(deps));
