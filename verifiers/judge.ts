/**
 * Calls a verifier so that nothing it does can be mistaken for a wrong answer: an exception, a time-out or nonsense ends as
 * `unjudged`, with its cause.
 *
 *   await judgeSafely(() => task.judge(problem, text), { timeoutMs: 10_000 })
 *
 * Limits: a verifier that never gives the event loop back can't be timed out from here: verifiers/host.ts has it in a child
 * process. One that runs foreign code has a child of its own, which it ends when its signal fires.
 */
import { z } from 'zod';
import type { Verdict } from '../schemas/verdict.ts';
import type { Problem } from '../schemas/problem.ts';
import type { Judgement } from './verifier.ts';

/** Exactly what `correct()` and `incorrect(why)` give; an `unjudged` made by hand would hide why. */
const Judged = z.discriminatedUnion('verdict', [
  z.strictObject({ verdict: z.literal('correct') }),
  z.strictObject({ verdict: z.literal('incorrect'), why: z.string() }),
]);

export interface JudgeOptions {
  /** Milliseconds it may take. */
  timeoutMs: number;
  /** Cancels: the only way in which the promise rejects. */
  signal?: AbortSignal;
}

/** The cause of a time-out, whoever's clock it was. */
export const noVerdictWithin = (timeoutMs: number): string => `no verdict within ${timeoutMs} ms`;

const CAUSE_LENGTH = 500;
const shorten = (text: string): string => (text.length > CAUSE_LENGTH ? `${text.slice(0, CAUSE_LENGTH)}…` : text);

function describe(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return `a value of type ${typeof value}`;
  }
}
function describeError(error: unknown): string {
  try {
    return error instanceof Error ? `${error.name}: ${error.message}` : describe(error);
  } catch {
    return 'something that cannot be printed';
  }
}

/**
 * The verdict of `judge`, asked once.
 *
 * @param judge gets a signal that fires when its time is over (done, timed out or cancelled).
 * @throws the signal's reason when cancelled; nothing else.
 */
export async function judgeSafely(
  judge: (signal: AbortSignal) => Judgement | Promise<Judgement>,
  { timeoutMs, signal }: JudgeOptions,
): Promise<Verdict> {
  signal?.throwIfAborted();
  const ended = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  const timedOut = new Promise<Verdict>((resolve) => {
    timer = setTimeout(() => resolve({ verdict: 'unjudged', cause: noVerdictWithin(timeoutMs) }), timeoutMs);
  });
  const cancelled = new Promise<never>((_, reject) => {
    // The reason is passed on as it is: Temporal recognises its own cancellation by it.
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
    onAbort = () => reject(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
  // Async, so that a verifier that throws at once and one that rejects later take the same way, and neither is left unheard.
  const judged = (async (): Promise<Verdict> => {
    try {
      const found: unknown = await judge(ended.signal);
      const parsed = Judged.safeParse(found);
      if (parsed.success) return parsed.data;
      return {
        verdict: 'unjudged',
        cause: shorten(`the verifier returned ${describe(found)}; expected correct() or incorrect(why)`),
      };
    } catch (error) {
      return { verdict: 'unjudged', cause: shorten(`the verifier threw ${describeError(error)}`) };
    }
  })();
  try {
    return await Promise.race([judged, timedOut, cancelled]);
  } finally {
    clearTimeout(timer);
    if (onAbort) signal?.removeEventListener('abort', onAbort);
    ended.abort();
  }
}

/** What is asked of a task here; a verifier knows no tasks. */
export interface Judging {
  judge(problem: Problem, text: string): Judgement | Promise<Judgement>;
  checkSteps?(problem: Problem, text: string): StepsFound;
  vote?(problem: Problem, text: string): string | null | Promise<string | null>;
}
export interface StepsFound {
  sound: boolean;
  firstWrongStep: number | null;
}
export interface RowFound {
  verdict: Verdict;
  /** null: no step checker, or it found nothing out. */
  steps: StepsFound | null;
  /** What the text votes for, null for nothing; absent where nobody asked or the task has no votes of its own. */
  vote?: string | null;
}
export interface RowOptions {
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  /** The verdict where it stands already; only the steps are looked at. */
  known?: Verdict | undefined;
  /** Its vote is asked for. */
  vote?: boolean | undefined;
}

/**
 * One row, tried once. Rejects only when cancelled. A step checker that throws says nothing about the steps; a vote that throws
 * leaves the row unjudged, as a verdict that does.
 */
export async function judgeOne(task: Judging, problem: Problem, text: string, options: RowOptions): Promise<RowFound> {
  const { timeoutMs, signal, known } = options;
  const limits = { timeoutMs, ...(signal && { signal }) };
  const judged = known ?? (await judgeSafely(() => task.judge(problem, text), limits));
  let vote: string | null | undefined;
  const verdict =
    options.vote && task.vote && judged.verdict !== 'unjudged'
      ? await judgeSafely(async () => {
          vote = await task.vote!(problem, text);
          return judged;
        }, limits)
      : judged;
  if (verdict.verdict === 'unjudged') return { verdict, steps: null };
  const voted = vote !== undefined && { vote };
  try {
    const steps = task.checkSteps?.(problem, text);
    const found = steps ? { sound: steps.sound, firstWrongStep: steps.firstWrongStep } : null;
    return { verdict, steps: found, ...voted };
  } catch {
    return { verdict, steps: null, ...voted };
  }
}
