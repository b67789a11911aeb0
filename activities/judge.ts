/**
 * Judging rows, for verify, evaluate and the gate. Cut off by length or no answer = incorrect; engine failure or overflow =
 * unjudged. A verifier that throws, hangs, crashes, fills the memory or returns nonsense leaves the row unjudged with its
 * cause, after it was tried again.
 *
 * Tries come in rounds over the rows of a shard, with a pause between, so that a short outage ends before the last try. Rows
 * that hang one after another end a round early: what comes behind them is tried first in the next. So an outage takes a few
 * time-outs a shard, not one a row, and rows that are poison cost themselves alone.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Rationale } from '../schemas/rationale.ts';
import type { Tally } from '../schemas/port-values.ts';
import type { Judged, Verdict } from '../schemas/verdict.ts';
import type { Task } from '../tasks/task.ts';
import { takeVerifier } from '../verifiers/host.ts';
import type { HostedVerifier } from '../verifiers/host.ts';
import { judgeOne, noVerdictWithin } from '../verifiers/judge.ts';
import type { RowFound } from '../verifiers/judge.ts';
import { incorrect } from '../verifiers/verifier.ts';

export interface JudgeOptions {
  timeoutMs: number;
  /** Rounds in all, the first included. */
  tries: number;
}
interface Control {
  signal: AbortSignal;
  onProgress: (progress: { done: number; total: number; tokensPerSecond: number }) => void;
}

const MEMORY_MB = 512;
/** Before the second round; twice as long before each one after. */
const PAUSE_MS = 500;
/** Rows without a verdict in time, one after another, that end a round. */
const HANGS = 8;
/** Rows between two turns for heartbeats and cancellation. */
const ROWS_AT_ONCE = 64;

/** What stands without asking the verifier; undefined where it must be asked. */
function settledBy({ finish, cause }: Rationale): Verdict | undefined {
  switch (finish) {
    case 'failed':
      return { verdict: 'unjudged', cause: cause ?? 'the engine gave no completion' };
    case 'overflow':
      return { verdict: 'unjudged', cause: 'prompt and completion do not fit the context' };
    case 'length':
      return incorrect('cut off by length');
    case 'stop':
      return undefined;
  }
}

/** A task's verifier inside the worker. */
const trusted = (task: Task): HostedVerifier => ({
  judge: (problem, text, options) => judgeOne(task, problem, text, options),
  release: () => undefined,
});

const judgedRow = (rationale: Rationale, { verdict, steps }: RowFound): Judged => ({
  rationale,
  verdict,
  sound: steps?.sound ?? null,
  firstWrongStep: steps?.firstWrongStep ?? null,
});

/** Every row with its verdict, in order. Rejects only when cancelled, or when the task can't be loaded to be asked. */
export const judgeRows = async (...asked: Parameters<typeof findRows>): Promise<Judged[]> =>
  (await findRows(...asked)).map(([row, found]) => judgedRow(row, found));

/** The same with what each row votes for: the task's `vote`, else the answer as the task reads it; null = nothing. */
export async function judgeAndVote(
  task: Task,
  rows: Rationale[],
  options: JudgeOptions,
  control: Control,
): Promise<(Judged & { answer: string | null })[]> {
  const found = await findRows(task, rows, { ...options, vote: true }, control);
  return found.map(([row, one]) => {
    const answer = task.vote ? (one.vote ?? null) : task.parse(row.text, row.problem);
    return { ...judgedRow(row, one), answer };
  });
}

async function findRows(
  task: Task,
  rows: Rationale[],
  options: JudgeOptions & { vote?: boolean },
  control: Control,
): Promise<[Rationale, RowFound][]> {
  const found = new Map<Rationale, RowFound>();
  let open: Rationale[] = [];
  for (const row of rows) {
    const verdict = settledBy(row);
    if (verdict?.verdict === 'unjudged') found.set(row, { verdict, steps: null });
    else open.push(row);
  }
  const [module] = task.modules;
  const { judging } = task;
  const verifier =
    judging?.trusted || module === undefined
      ? trusted(task)
      : takeVerifier(module, { memoryMb: judging?.memoryMb ?? MEMORY_MB });
  const told = () => control.onProgress({ done: found.size, total: rows.length, tokensPerSecond: 0 });
  try {
    for (let round = 0; round < options.tries && open.length > 0; round++) {
      if (round > 0) await sleep(PAUSE_MS * 2 ** (round - 1), undefined, { signal: control.signal });
      open = await judgeRound(verifier, open, found, options, { ...control, onProgress: told });
    }
  } finally {
    verifier.release();
  }
  return rows.map((row) => [row, found.get(row) as RowFound]);
}

/** Asks about each row once; returns those still unjudged, in the order in which they are to be tried next. */
async function judgeRound(
  verifier: HostedVerifier,
  open: Rationale[],
  found: Map<Rationale, RowFound>,
  { timeoutMs, vote }: JudgeOptions & { vote?: boolean },
  { signal, onProgress }: Control,
): Promise<Rationale[]> {
  const unjudged: Rationale[] = [];
  let hangs = 0;
  for (const [at, row] of open.entries()) {
    if (hangs >= HANGS) {
      const rest = open.slice(at);
      const cause = `not tried: ${HANGS} rows before it got ${noVerdictWithin(timeoutMs)}`;
      for (const one of rest)
        if (!found.has(one)) found.set(one, { verdict: { verdict: 'unjudged', cause }, steps: null });
      return [...rest, ...unjudged];
    }
    // Of what was cut off the verdict is known; how far its steps are right is not.
    const answer = await verifier.judge(row.problem, row.text, { timeoutMs, signal, known: settledBy(row), vote });
    found.set(row, answer);
    const { verdict } = answer;
    if (verdict.verdict === 'unjudged') unjudged.push(row);
    hangs = verdict.verdict === 'unjudged' && verdict.cause === noVerdictWithin(timeoutMs) ? hangs + 1 : 0;
    if ((at + 1) % ROWS_AT_ONCE === 0 || hangs > 0) {
      signal.throwIfAborted();
      onProgress({ done: 0, total: 0, tokensPerSecond: 0 });
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  return unjudged;
}

/** The cause most unjudged rows have, for the sentence in which a run says why it waits; nothing where all are judged. */
export function unjudgedBecause(judged: Judged[]): { unjudgedBecause?: string } {
  const causes = new Map<string, number>();
  for (const { verdict } of judged)
    if (verdict.verdict === 'unjudged') causes.set(verdict.cause, (causes.get(verdict.cause) ?? 0) + 1);
  const [most] = [...causes].sort(([, x], [, y]) => y - x);
  return most ? { unjudgedBecause: most[0] } : {};
}

/** Counts of several shards added up, stratum by stratum. */
export function addTallies(all: Record<string, Tally>[]): Record<string, Tally> {
  const sum: Record<string, Tally> = {};
  for (const [stratum, { correct, judged, unjudged, calls, steps }] of all.flatMap((one) => Object.entries(one))) {
    const tally = (sum[stratum] ??= { correct: 0, judged: 0, unjudged: 0 });
    tally.correct += correct;
    tally.judged += judged;
    tally.unjudged += unjudged;
    if (calls !== undefined) tally.calls = (tally.calls ?? 0) + calls;
    if (steps !== undefined) addSteps(tally, steps);
  }
  return sum;
}

function addSteps(tally: Tally, { own, gold }: NonNullable<Tally['steps']>): void {
  tally.steps = { own: (tally.steps?.own ?? 0) + own, gold: (tally.steps?.gold ?? 0) + gold };
}

/** @param tools whether calls of tools are counted. @param task whose steps are counted, where it says what a step is. */
export function tallyByStratum(
  judged: Judged[],
  { tools = false, task }: { tools?: boolean; task?: Task } = {},
): Record<string, Tally> {
  const tallies: Record<string, Tally> = {};
  for (const { rationale, verdict } of judged) {
    const tally = (tallies[rationale.problem.stratum] ??= { correct: 0, judged: 0, unjudged: 0 });
    if (verdict.verdict === 'unjudged') tally.unjudged++;
    else {
      tally.judged++;
      if (tools) tally.calls = (tally.calls ?? 0) + (rationale.calls?.length ?? 0);
      if (task?.stepCount) {
        const gold = task.goldCompletion(rationale.problem);
        addSteps(tally, { own: task.stepCount(rationale.text), gold: task.stepCount(gold) });
      }
      if (verdict.verdict === 'correct') tally.correct++;
    }
  }
  return tallies;
}
