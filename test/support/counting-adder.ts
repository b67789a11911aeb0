/** The scripted adder with its requests counted, and answers spoilt on demand: for tests of what is done again and what is noticed. */
import type { Engine } from '../../engine/engine.ts';
import { scriptedAdder } from './temporal.ts';

export interface CountingAdder extends Engine {
  /** Of sampling and training. */
  requests: number;
  /** Whether the first answer of that request to sample, counted from 1, is spoilt. */
  spoils: (request: number) => boolean;
}

export function countingAdder(): CountingAdder {
  const inner = scriptedAdder();
  const adder: CountingAdder = {
    ...inner,
    requests: 0,
    spoils: () => false,
    async sample(request, control) {
      const mine = ++adder.requests;
      const [first, ...rest] = await inner.sample(request, control);
      return first ? [adder.spoils(mine) ? { ...first, text: `${first.text}0` } : first, ...rest] : [];
    },
    train: (request, control) => (adder.requests++, inner.train(request, control)),
  };
  return adder;
}

/** Stages of which a shard was done, in the order they stand. */
export const stagesDone = (stages: Record<string, { redone: number }>): string[] =>
  Object.keys(stages).filter((name) => (stages[name]?.redone ?? 0) > 0);
