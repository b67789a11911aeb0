/**
 * How the interpreter calls a stage's activity: the durability rule from history, a ceiling on shards in flight, and repair.
 *
 * Repair: when a shard finds an artifact damaged or gone, the shard that made it is run again (at most twice for one
 * artifact), the same digest is required, then the shard that found it runs again.
 */
import { proxyActivities } from '@temporalio/workflow';
import { ActivityFailure, ApplicationFailure } from '@temporalio/common';
import type { Activities } from '../activities/index.ts';
import type { Repair } from '../activities/repair.ts';
import type { Model } from '../schemas/checkpoint.ts';
import { NON_RETRYABLE } from '../schemas/failure.ts';
import type { Recipe } from '../schemas/recipe.ts';
import type { ResolvedRun, StageRule } from '../schemas/run.ts';
import type { StageInput, StageKind, StageOutput } from '../schemas/stage.ts';
import type { Piece } from './shards.ts';

export const RETRY = { initialInterval: '500ms', backoffCoefficient: 1.5, maximumInterval: '10s' } as const;
const REPAIRS = 2;

/** Activities of a run's frame: quick, though resolve may wait for an engine's start. A dead worker is noticed within 6 s. */
export const frame = proxyActivities<
  Pick<Activities, 'resolve' | 'fork' | 'recall' | 'confront' | 'join' | 'writeLedger' | 'seal' | 'repair'>
>({
  startToCloseTimeout: '10m',
  heartbeatTimeout: '6s',
  retry: { ...RETRY, maximumAttempts: 60, nonRetryableErrorTypes: NON_RETRYABLE },
});

/** At most so many at once, in order of arrival. */
export class Gate {
  private waiting: (() => void)[] = [];
  private free: number;
  constructor(places: number) {
    this.free = places;
  }
  async enter(): Promise<() => void> {
    if (this.free > 0) this.free--;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    return () => {
      const next = this.waiting.shift();
      if (next) next();
      else this.free++;
    };
  }
}

/** What the activity of one shard gets. */
export const stageInput = (
  of: { resolved: ResolvedRun; n: number; attempt: number; carried: Model | null },
  name: string,
  stage: Recipe['stages'][string],
  inputs: Piece,
  shard: { index: number; count: number },
): StageInput => ({
  run: of.resolved.context,
  iteration: of.n,
  attempt: of.attempt,
  stage: name,
  kind: stage.use,
  options: stage.with ?? {},
  inputs,
  carried: of.carried,
  shard,
});

type AnyStage = (input: StageInput) => Promise<StageOutput>;

function activityOf(kind: StageKind, rule: StageRule, summary: string): AnyStage {
  const proxy = proxyActivities<Record<StageKind, AnyStage>>({
    taskQueue: rule.taskQueue,
    startToCloseTimeout: rule.startToCloseMs,
    heartbeatTimeout: rule.heartbeatMs,
    retry: { ...RETRY, maximumAttempts: rule.maximumAttempts, nonRetryableErrorTypes: NON_RETRYABLE },
  });
  return (input) => proxy[kind].executeWithOptions({ summary }, [input]);
}

/** The digest of the artifact that a failed shard could not read, if that was its trouble. */
function damagedDigest(error: unknown): string | undefined {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (!(cause instanceof ApplicationFailure)) return undefined;
  if (cause.type !== 'ArtifactDamaged' && cause.type !== 'ArtifactMissing') return undefined;
  return (cause.details?.[0] as { digest?: string } | undefined)?.digest;
}

/** Runs shards of one iteration. */
export class StageCalls {
  private readonly gates = new Map<string, Gate>();
  private readonly repaired = new Map<string, number>();
  private readonly repairing = new Map<string, Promise<void>>();
  /** Shards under way. */
  running = 0;
  constructor(
    private readonly resolved: ResolvedRun,
    private readonly shardsInFlight: number,
    /** Resolves when a shard may start; rejects when the iteration is to end. */
    private readonly admitted: () => Promise<void>,
    /** Hears of each shard that is done. */
    private readonly onDone: (kind: StageKind, output: StageOutput) => void = () => undefined,
  ) {}

  async run<K extends StageKind>(input: StageInput<K>): Promise<StageOutput<K>> {
    const rule = this.ruleOf(input.kind);
    const gate = this.gates.get(input.stage) ?? new Gate(this.shardsInFlight);
    this.gates.set(input.stage, gate);
    const leave = await gate.enter();
    try {
      await this.admitted();
      this.running++;
      try {
        const output = await this.attempt(input, rule);
        this.onDone(input.kind, output);
        return output;
      } finally {
        this.running--;
      }
    } finally {
      leave();
    }
  }

  private ruleOf(kind: StageKind): StageRule {
    const rule = this.resolved.rules[kind];
    // Resolve gives one for every kind there is; what was started before a kind was there has no stage of it.
    if (rule === undefined) throw ApplicationFailure.nonRetryable(`no rule for ${kind}`, 'RecipeInvalid');
    return rule;
  }

  private async attempt<K extends StageKind>(input: StageInput<K>, rule: StageRule): Promise<StageOutput<K>> {
    const { stage, shard, iteration } = input;
    const summary =
      shard.count > 1 ? `${iteration} · ${stage} ${shard.index + 1}/${shard.count}` : `${iteration} · ${stage}`;
    const call = activityOf(input.kind, rule, summary);
    return this.mending(async () => (await call(input)) as unknown as StageOutput<K>);
  }

  /** Does `act`; when it finds an artifact damaged or gone, has that made again and does it once more. */
  async mending<T>(act: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await act();
      } catch (error) {
        const digest = damagedDigest(error);
        if (digest === undefined) throw error;
        await this.mend(digest, error);
      }
    }
  }

  /** Two shards that miss the same artifact share one repair. */
  private mend(digest: string, error: unknown): Promise<void> {
    const under =
      this.repairing.get(digest) ?? this.mendOnce(digest, error).finally(() => this.repairing.delete(digest));
    this.repairing.set(digest, under);
    return under;
  }

  private async mendOnce(digest: string, error: unknown): Promise<void> {
    const times = (this.repaired.get(digest) ?? 0) + 1;
    if (times > REPAIRS) throw error;
    this.repaired.set(digest, times);
    const repair: Repair = await frame.repair.executeWithOptions({ summary: `damaged or gone: ${digest}` }, [
      digest,
      this.resolved.context,
    ]);
    if (repair.restored) return;
    const { producer } = repair;
    await this.attempt({ ...producer, run: this.resolved.context, redo: { digest } }, this.ruleOf(producer.kind));
  }
}
