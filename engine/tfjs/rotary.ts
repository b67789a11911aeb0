/**
 * Rotary positions (Su et al., arXiv:2104.09864): which dimensions of a head turn together, and by how much.
 *
 *   fileRow(config, 1)             // 32: dimension 1 of our order is the file's 32nd, for Llama with heads of width 64
 *   headTurns(config, 5)           // [cos, sin, cos, sin, …] of a head at position 5
 *
 * In our order the two dimensions of a pair are neighbours, so that a turn is one product of complex numbers. Files of GPT-J
 * have that order already, those of Llama pair row j with row j + half. Scores are sums over a head, so the order changes nothing
 * else. Pairs that do not turn (behind `rotaryWidth`; all where positions are learned) turn by 0.
 */
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import { headWidthOf } from './parameters.ts';
import { exp, log, sinCos } from './portable-math.ts';

type Rotary = Pick<
  DecoderConfig,
  'dModel' | 'heads' | 'headWidth' | 'positions' | 'rotaryWidth' | 'rotaryPairs' | 'ropeTheta'
>;

/** Leading dimensions of a head that turn. */
const turning = (config: Rotary): number =>
  config.positions === 'learned' ? 0 : (config.rotaryWidth ?? headWidthOf(config));

/** Row of the file that stands at `row` of our order, over heads that follow one another. */
export function fileRow(config: Rotary, row: number): number {
  const within = row % headWidthOf(config);
  const turns = turning(config);
  if (within >= turns || config.rotaryPairs === 'neighbours') return row;
  return row - within + (within >> 1) + (within & 1) * (turns / 2);
}

/** Cosine and sine of each pair of one head at a position. */
export function headTurns(config: Rotary, position: number): number[] {
  const turns = turning(config);
  return Array.from({ length: headWidthOf(config) / 2 }, (_, pair) => {
    if (2 * pair >= turns) return [1, 0];
    return sinCos(position * exp(((-2 * pair) / turns) * log(config.ropeTheta))).reverse();
  }).flat();
}
