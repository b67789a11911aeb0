/**
 * The numbers a report shows of one iteration, from its record alone: shares of the ledger, intervals by stratum, seconds
 * and tokens per second by stage. Nothing is guessed: what was not measured is null.
 */
import { compareStrata, wilson } from '../schemas/accuracy.ts';
import type { Accuracy, IterationRecord, RunDocument } from '../schemas/run.ts';

export interface Estimate {
  accuracy: number;
  low: number;
  high: number;
  n: number;
}

/** A stratum's accuracy with Wilson's interval, or null where nothing was judged. */
export function estimate(accuracy: Accuracy, stratum: string): Estimate | null {
  const one = Object.hasOwn(accuracy.byStratum, stratum) ? accuracy.byStratum[stratum] : undefined;
  if (!one || one.n === 0) return null;
  const [low, high] = wilson(Math.round(one.accuracy * one.n), one.n);
  return { accuracy: one.accuracy, low, high, n: one.n };
}

/** The mean of the strata with its interval, or null where nothing was judged. */
export function overall(accuracy: Accuracy): Estimate | null {
  const [low, high] = accuracy.ci95;
  return accuracy.n === 0 ? null : { accuracy: accuracy.overall, low, high, n: accuracy.n };
}

/** A part of the problems drawn, or null where none were (iteration 0 draws nothing). */
export const shareOf = (count: number, record: IterationRecord): number | null =>
  record.drawn === 0 ? null : count / record.drawn;

export const secondsOf = (record: IterationRecord): number =>
  Object.values(record.seconds).reduce((sum, seconds) => sum + seconds, 0);

export const tokensOf = (record: IterationRecord): number =>
  Object.values(record.tokens).reduce((sum, tokens) => sum + tokens, 0);

/** Tokens per second of a stage, or null where it has no tokens or took no measurable time. */
export function tokensPerSecond(record: IterationRecord, stage: string): number | null {
  const [tokens, seconds] = [record.tokens[stage] ?? 0, record.seconds[stage] ?? 0];
  return tokens > 0 && seconds > 0 ? tokens / seconds : null;
}

/** All strata of a run's test split, in the order they are shown. */
export function strataOf(document: RunDocument): string[] {
  const all = new Set(document.iterations.flatMap((record) => Object.keys(record.accuracy.byStratum)));
  return [...all].sort(compareStrata);
}

/** All stages of a run, in the order of its recipe; those of iteration 0 that the recipe does not have come first. */
export function stagesOf(document: RunDocument): string[] {
  const seen = [...new Set(document.iterations.flatMap((record) => Object.keys(record.seconds)))];
  const order = Object.keys(document.resolved?.recipe.stages ?? {});
  const rank = (stage: string) => order.indexOf(stage);
  return seen
    .map((stage, i) => ({ stage, i }))
    .sort((a, b) => rank(a.stage) - rank(b.stage) || a.i - b.i)
    .map(({ stage }) => stage);
}

/**
 * What the strata are called. A run whose one parameter equals its largest stratum ({ digits: 5 } with "1" … "5") is split by
 * that parameter; of anything else no more is known than that they are strata.
 */
export function strataName(document: RunDocument): string {
  const parameters = { ...document.input.parameters, ...document.resolved?.context.parameters };
  const largest = Math.max(...strataOf(document).map(Number));
  const named = Object.keys(parameters).filter((name) => parameters[name] === largest);
  return named.length === 1 && /^[\w-]{1,24}$/.test(named[0] ?? '') ? (named[0] as string) : 'stratum';
}

/** The record of the best iteration: chosen on dev by the run itself, never here. */
export const bestOf = (document: RunDocument): IterationRecord | undefined =>
  document.iterations.find((record) => record.n === document.best?.n);

/** 0.98765 → "98.8"; never rounds up to 100 or down to 0 what is not. */
export function percent(share: number | null): string {
  if (share === null) return '–';
  const rounded = (share * 100).toFixed(1);
  if (rounded === '100.0') return share === 1 ? '100' : '99.9';
  if (rounded === '0.0') return share === 0 ? '0' : '0.1';
  return rounded;
}

/** "97.9–98.8" */
export const interval = (one: Estimate | null): string =>
  one === null ? '–' : `${percent(one.low)}–${percent(one.high)}`;

/** 83 → "1.4" */
export const minutes = (seconds: number): string => (seconds / 60).toFixed(1);
