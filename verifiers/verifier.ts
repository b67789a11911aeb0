/**
 * A verifier is one function that returns `correct()` or `incorrect(why)`.
 *
 *   export const exact: Verifier = ({ problem, answer }) =>
 *     answer !== null && problem.gold.includes(answer) ? correct() : incorrect(`answered ${answer}`);
 *
 * *Throwing means unjudged*: whoever calls it turns an exception, a time-out or nonsense into `unjudged` with its cause, so
 * nobody can turn an outage into a wrong answer.
 */
import type { Problem } from '../schemas/problem.ts';
import type { Verdict } from '../schemas/verdict.ts';

export type Judgement = Extract<Verdict, { verdict: 'correct' | 'incorrect' }>;

export interface Submission {
  problem: Problem;
  /** The whole completion. */
  text: string;
  /** What the task's parser took for the answer; null = there was none (which is incorrect, not an error). */
  answer: string | null;
}

export type Verifier = (submission: Submission) => Judgement | Promise<Judgement>;

export const correct = (): Judgement => ({ verdict: 'correct' });
export const incorrect = (why: string): Judgement => ({ verdict: 'incorrect', why });
