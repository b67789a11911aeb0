/**
 * Slices of several contestants in turn: A B C, A B C, … so that whatever else the machine does meets all of them.
 *
 *   const rates = await interleave([ours, torch], 7);   // rates[0]: seven tokens/s of ours
 */
import type { Slice } from './contestant.ts';
import { compare } from './statistics.ts';
import type { Measured } from './row.ts';
import type { Facts } from './contestant.ts';

export interface Side {
  facts: Facts;
  slice(n: number): Promise<Slice>;
}

/**
 * Tokens per second, [contestant][repetition]. One round before them is not counted: caches and clocks warm up in it. The
 * order turns round with each repetition, so that no side always runs in another's wake.
 */
export async function interleave(
  sides: readonly Side[],
  repetitions: number,
  onRound?: (round: number) => void,
): Promise<number[][]> {
  const rates = sides.map((): number[] => []);
  for (let round = -1; round < repetitions; round++) {
    const order = sides.map((_, i) => i);
    if (round % 2 === 1) order.reverse();
    for (const i of order) {
      // The uncounted round does the work of the first one.
      const { tokens, seconds } = await sides[i]!.slice(Math.max(0, round));
      if (round >= 0) rates[i]!.push(tokens / seconds);
    }
    onRound?.(round);
  }
  return rates;
}

/** The first side is ours, the second the peer that the ratio is formed with; further ones stand beside. */
export async function measureSides(
  sides: readonly [Side, Side, ...Side[]],
  repetitions: number,
  say: (line: string) => void,
): Promise<Measured> {
  const began = performance.now();
  const rates = await interleave(sides, repetitions, (round) => {
    const seconds = Math.round((performance.now() - began) / 1000);
    if (round >= 0) say(`repetition ${round + 1} of ${repetitions} after ${seconds} s`);
  });
  const [ours, peer, ...others] = rates as [number[], number[], ...number[][]];
  const { spread, ...figures } = compare(ours, peer);
  return {
    ...figures,
    peerName: sides[1].facts.name,
    unit: 'tokens/s',
    spread,
    repetitions,
    beside: others.map((rate, i) => {
      const one = compare(ours, rate);
      return { peerName: sides[i + 2]!.facts.name, peer: one.peer, ratio: one.ratio, spread: one.spread.ratio };
    }),
    sides: Object.fromEntries(sides.map(({ facts: { name, ...facts } }) => [name, facts])),
    samples: Object.fromEntries(sides.map(({ facts }, i) => [facts.name, rates[i]!])),
  };
}
