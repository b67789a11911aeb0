/**
 * Judging rows, for verify and evaluate. Cut off by length or no answer = incorrect; engine failure or overflow = unjudged.
 * A verifier that throws, hangs or returns nonsense leaves the row unjudged with its cause.
 */
import type { Rationale } from '../schemas/rationale.ts';
import type { Tally } from '../schemas/stage.ts';
import type { Judged, Verdict } from '../schemas/verdict.ts';
import type { Task } from '../tasks/task.ts';
import { judgeSafely } from '../verifiers/judge.ts';
import { incorrect } from '../verifiers/verifier.ts';

export interface JudgeOptions {
  timeoutMs: number;
  tries: number;
}

export async function judgeRow(task: Task, rationale: Rationale, options: JudgeOptions): Promise<Judged> {
  const verdict = await verdictOf(task, rationale, options);
  if (verdict.verdict === 'unjudged' || !task.checkSteps)
    return { rationale, verdict, sound: null, firstWrongStep: null };
  return { rationale, verdict, ...task.checkSteps(rationale.problem, rationale.text) };
}

async function verdictOf(
  task: Task,
  { problem, text, finish, cause }: Rationale,
  options: JudgeOptions,
): Promise<Verdict> {
  switch (finish) {
    case 'failed':
      return { verdict: 'unjudged', cause: cause ?? 'the engine gave no completion' };
    case 'overflow':
      return { verdict: 'unjudged', cause: 'prompt and completion do not fit the context' };
    case 'length':
      return incorrect('cut off by length');
    case 'stop':
      return judgeSafely(() => task.judge(problem, text), options);
  }
}

export async function judgeRows(
  task: Task,
  rows: Rationale[],
  options: JudgeOptions,
  control: {
    signal: AbortSignal;
    onProgress: (progress: { done: number; total: number; tokensPerSecond: number }) => void;
  },
): Promise<Judged[]> {
  const judged: Judged[] = [];
  for (const row of rows) {
    judged.push(await judgeRow(task, row, options));
    if (judged.length % 64 === 0) {
      control.signal.throwIfAborted();
      control.onProgress({ done: judged.length, total: rows.length, tokensPerSecond: 0 });
      await new Promise((resolve) => setImmediate(resolve)); // heartbeats and cancellation get their turn
    }
  }
  return judged;
}

/** Counts of several shards added up, stratum by stratum. */
export function addTallies(all: Record<string, Tally>[]): Record<string, Tally> {
  const sum: Record<string, Tally> = {};
  for (const [stratum, { correct, judged, unjudged }] of all.flatMap((one) => Object.entries(one))) {
    const tally = (sum[stratum] ??= { correct: 0, judged: 0, unjudged: 0 });
    tally.correct += correct;
    tally.judged += judged;
    tally.unjudged += unjudged;
  }
  return sum;
}

export function tallyByStratum(judged: Judged[]): Record<string, Tally> {
  const tallies: Record<string, Tally> = {};
  for (const { rationale, verdict } of judged) {
    const tally = (tallies[rationale.problem.stratum] ??= { correct: 0, judged: 0, unjudged: 0 });
    if (verdict.verdict === 'unjudged') tally.unjudged++;
    else {
      tally.judged++;
      if (verdict.verdict === 'correct') tally.correct++;
    }
  }
  return tallies;
}
