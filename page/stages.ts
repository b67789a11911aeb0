/** What each stage of one iteration is doing or has done, from the running iteration's answer or from its sealed record. Pure. */
import type { IterationRecord, RunDocument } from '../schemas/run.ts';
import type { Recipe, RecipeStage } from '../schemas/recipe.ts';
import { stageOrder, stagesRead } from '../schemas/recipe.ts';
import type { LiveRun } from './installation.ts';

export interface Stage {
  name: string;
  kind: string;
  /** References it reads: "judged.unsolved", "$model". */
  reads: string[];
  /** Stages it reads. */
  after: string[];
  /** Column: the longest way from a stage that reads no other. */
  depth: number;
  state: 'pending' | 'running' | 'done';
  /** 0..1 */
  share: number;
  /** "2 of 8 shards", "done in 9.2 s". */
  says: string;
  /** Tokens a second and what is tried again; '' = nothing. */
  more: string;
}

/** The graph of iteration n: the first one makes the base. */
export const recipeOf = ({ resolved }: RunDocument, n: number): Recipe | undefined =>
  n === 0 ? resolved?.prepare : resolved?.recipe;

const readsOf = (stage: RecipeStage): string[] => Object.values(stage.in).flat();

/** In an order in which each stands behind what it reads. */
export function stagesOf(
  recipe: Recipe,
  state: (name: string, kind: string) => Pick<Stage, 'state' | 'share' | 'says' | 'more'>,
): Stage[] {
  const depths = new Map<string, number>();
  return (stageOrder(recipe) ?? []).map((name) => {
    const stage = recipe.stages[name] as RecipeStage;
    const after = [...new Set(stagesRead(stage))];
    const depth = Math.max(0, ...after.map((one) => (depths.get(one) ?? 0) + 1));
    depths.set(name, depth);
    return { name, kind: stage.use, reads: readsOf(stage), after, depth, ...state(name, stage.use) };
  });
}

const seconds = (value: number): string => (value < 10 ? value.toFixed(1) : String(Math.round(value)));

/** Of a sealed iteration. */
export function sealedStages(recipe: Recipe, record: IterationRecord): Stage[] {
  return stagesOf(recipe, (name) => {
    const [took, tokens, counts] = [record.seconds[name], record.tokens[name] ?? 0, record.stages?.[name]];
    const rate = took && tokens > 0 ? `${Math.round(tokens / took)} tokens/s` : '';
    const reused = counts && counts.reused > 0 && counts.redone === 0 ? 'from the memo' : '';
    return {
      state: 'done',
      share: 1,
      says: took === undefined ? 'done' : `done in ${seconds(took)} s`,
      more: [rate, reused].filter(Boolean).join(', '),
    };
  });
}

/** Of the iteration under way. `live` null: nobody can be asked. */
export function runningStages(recipe: Recipe, n: number, run: LiveRun | null): Stage[] {
  const told = run?.stages?.iteration === n ? run.stages.stages : {};
  return stagesOf(recipe, (name, kind) => {
    const one = Object.hasOwn(told, name) ? told[name] : undefined;
    if (!one || !run) return { state: 'pending', share: 0, says: 'pending', more: '' };
    if (one.state !== 'running')
      return { state: one.state, share: one.state === 'done' ? 1 : 0, says: one.state, more: '' };
    const shards = run.live.filter((live) => live.stage === name);
    const under = shards.reduce((sum, live) => sum + (live.total > 0 ? live.done / live.total : 0), 0);
    const rate = shards.reduce((sum, live) => sum + live.tokensPerSecond, 0);
    const again = run.retries.find((retry) => retry.stage === name || retry.stage === kind);
    return {
      state: 'running',
      share: one.shards === 0 ? 0 : Math.min(1, (one.shardsDone + under) / one.shards),
      says: `${one.shardsDone} of ${one.shards} shards`,
      more: [rate > 0 && `${Math.round(rate)} tokens/s`, again && `attempt ${again.attempt}`]
        .filter(Boolean)
        .join(', '),
    };
  });
}
