/**
 * Medians and spreads of repeated measurements.
 *
 *   compare([210, 200, 205], [100, 102, 98])   // { ours: 205, peer: 100, ratio: 2.09, spread: { … } }
 *
 * Repetition i of both sides was taken right after one another, so a ratio is formed in each repetition and the median taken
 * of those: what slows the whole machine for a while cancels out. Spreads are the lowest and the highest value, nothing
 * trimmed.
 */
export type Range = [lowest: number, highest: number];

/** Middle value; the mean of the two middle ones where their number is even. @throws RangeError for an empty list. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('median of nothing');
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** @throws RangeError for an empty list. */
export function rangeOf(values: readonly number[]): Range {
  if (values.length === 0) throw new RangeError('range of nothing');
  return [Math.min(...values), Math.max(...values)];
}

export interface Comparison {
  ours: number;
  peer: number;
  /** Above 1 we are ahead. */
  ratio: number;
  spread: { ours: Range; peer: Range; ratio: Range };
}

/**
 * Two lists of rates (more is better), taken in pairs.
 * @throws RangeError where the lists are empty or differ in length, or a rate is not above 0.
 */
export function compare(ours: readonly number[], peer: readonly number[]): Comparison {
  if (ours.length !== peer.length)
    throw new RangeError(`${ours.length} measurements of ours, ${peer.length} of the peer`);
  if ([...ours, ...peer].some((rate) => !(rate > 0 && Number.isFinite(rate))))
    throw new RangeError(`a rate must be above 0: ours ${ours.join(' ')}, peer ${peer.join(' ')}`);
  const ratios = ours.map((rate, i) => rate / peer[i]!);
  return {
    ours: median(ours),
    peer: median(peer),
    ratio: median(ratios),
    spread: { ours: rangeOf(ours), peer: rangeOf(peer), ratio: rangeOf(ratios) },
  };
}

/** Measurements that are better when smaller, against a bound that must not be passed: the ratio is bound / median. */
export function against(bound: number, values: readonly number[]): Comparison {
  const ratios = values.map((value) => bound / value);
  return {
    ours: median(values),
    peer: bound,
    ratio: bound / median(values),
    spread: { ours: rangeOf(values), peer: [bound, bound], ratio: rangeOf(ratios) },
  };
}
