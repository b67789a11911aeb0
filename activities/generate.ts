/** generate: free samples, from the un-hinted prompt. */
import type { Dependencies } from './dependencies.ts';
import { dropJournal } from './journal.ts';
import { sampleStage } from './sample.ts';
import { stageActivity } from './shard.ts';

export const generate = (deps: Dependencies) =>
  stageActivity<'generate'>(deps, (shard) => sampleStage(shard, false), dropJournal(deps));
