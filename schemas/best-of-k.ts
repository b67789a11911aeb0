/**
 * What several candidates of one problem are worth: pass@k, maj@k and Verifier@k from N of them. Pure.
 *
 *   bestOfK([{ correct: true, answer: '44', score: -3.1 }, { correct: false, answer: '45', score: -7.9 }], 1)
 *   // { pass: 0.5, majority: 0.5, verifier: 0.5 }
 *
 * Each is the mean over all subsets of k candidates, exactly, without listing them:
 * - pass@k: some candidate is right; 1 − C(N−c, k)/C(N, k) (Chen et al., arXiv:2107.03374).
 * - Verifier@k: the one with the highest score is right; Σᵢ C(N−i−1, k−1)·αᵢ / C(N, k), α by falling score (Hosseini et al.,
 *   arXiv:2402.06457 §3.3). Equal scores are in random order: each stands for the mean of its equals.
 * - maj@k: the most frequent answer is right (Wang et al., arXiv:2203.11171). Of several most frequent answers one is taken at
 *   random. A candidate without an answer has no vote, and a subset without votes is wrong.
 * No product of binomials is ever formed, so that no N overflows.
 */

export interface Candidate {
  correct: boolean;
  /** As the task reads it; null = none. */
  answer: string | null;
  /** The higher, the better. */
  score: number;
}

export interface BestOfK {
  pass: number;
  majority: number;
  verifier: number;
}

/** @throws RangeError unless k is a whole number of 1 … the count of candidates, and every score is a number. */
export function bestOfK(candidates: readonly Candidate[], k: number): BestOfK {
  if (!Number.isInteger(k) || k < 1 || k > candidates.length)
    throw new RangeError(`k is ${k}; expected 1 to ${candidates.length}, the count of candidates`);
  return {
    pass: passAtK(candidates.length, candidates.filter(({ correct }) => correct).length, k),
    majority: majorityAtK(candidates, k),
    verifier: verifierAtK(candidates, k),
  };
}

/** 1, 2, 4, … and N itself: the k that are reported. */
export function reportedKs(candidates: number): number[] {
  const ks: number[] = [];
  for (let k = 1; k < candidates; k *= 2) ks.push(k);
  return candidates > 0 ? [...ks, candidates] : ks;
}

function passAtK(candidates: number, correct: number, k: number): number {
  let noneRight = 1;
  for (let i = 0; i < k && noneRight > 0; i++) noneRight *= Math.max(0, candidates - correct - i) / (candidates - i);
  return 1 - noneRight;
}

function verifierAtK(candidates: readonly Candidate[], k: number): number {
  const sorted = [...candidates].sort((a, b) => b.score - a.score);
  if (sorted.some(({ score }) => Number.isNaN(score))) throw new RangeError('a candidate has no score');
  const n = sorted.length;
  let sum = 0;
  // C(n−i−1, k−1)/C(n, k): the chance that candidate i is taken and none before it.
  let weight = k / n;
  for (let from = 0; from < n;) {
    let to = from;
    let right = 0;
    let weights = 0;
    for (; to < n && sorted[to]!.score === sorted[from]!.score; to++) {
      right += Number(sorted[to]!.correct);
      weights += weight;
      weight *= Math.max(0, n - to - k) / Math.max(1, n - to - 1);
    }
    sum += (weights * right) / (to - from);
    from = to;
  }
  return sum;
}

function majorityAtK(candidates: readonly Candidate[], k: number): number {
  const n = candidates.length;
  const answers = new Map<string, { count: number; right: number }>();
  let silent = 0;
  for (const { answer, correct } of candidates) {
    if (answer === null) {
      silent++;
      continue;
    }
    const found = answers.get(answer) ?? { count: 0, right: 0 };
    answers.set(answer, { count: found.count + 1, right: found.right + Number(correct) });
  }
  const groups = [...answers.values()];
  const rightOnes = groups.filter(({ right }) => right > 0);
  if (rightOnes.length === 0) return 0;
  // C(c, j)·pʲ·(1−p)^(c−j) in the place of C(c, j): the same for every subset of k, so it cancels, and nothing overflows.
  const p = k / n;
  const ofSilent = binomial(silent, p);
  const whole = binomial(n, p)[k]!;
  let sum = 0;
  for (const winner of rightOnes) {
    const own = binomial(winner.count, p);
    const others = groups.filter((group) => group !== winner).map(({ count }) => binomial(count, p));
    for (let votes = 1; votes <= Math.min(k, winner.count); votes++)
      sum += (winner.right / winner.count) * own[votes]! * winning(others, ofSilent, votes, k - votes);
  }
  return sum / whole;
}

/** The weight of all ways in which the others take `left` places with at most `votes` each, tied answers sharing the win. */
function winning(others: number[][], silent: number[], votes: number, left: number): number {
  // [ties][places taken]
  const most = Math.floor(left / votes);
  let ways = Array.from({ length: most + 1 }, () => new Float64Array(left + 1));
  ways[0]![0] = 1;
  for (const other of others) {
    const next = ways.map(() => new Float64Array(left + 1));
    for (const [ties, taken] of ways.entries())
      for (const [at, weight] of taken.entries()) {
        if (weight === 0) continue;
        for (let j = 0; j <= Math.min(votes, other.length - 1, left - at); j++)
          next[ties + Number(j === votes)]![at + j]! += weight * other[j]!;
      }
    ways = next;
  }
  let sum = 0;
  for (const [ties, taken] of ways.entries())
    for (const [at, weight] of taken.entries()) sum += (weight * (silent[left - at] ?? 0)) / (ties + 1);
  return sum;
}

/** [n + 1]: C(n, j)·pʲ·(1−p)^(n−j). */
function binomial(n: number, p: number): number[] {
  if (p === 1) return Array.from({ length: n + 1 }, (_, j) => Number(j === n));
  // From the likeliest on, so that the start does not round to zero.
  const chances = new Array<number>(n + 1).fill(0);
  const mode = Math.min(n, Math.floor((n + 1) * p));
  chances[mode] = 1;
  const odds = p / (1 - p);
  for (let j = mode; j < n; j++) chances[j + 1] = (chances[j]! * odds * (n - j)) / (j + 1);
  for (let j = mode; j > 0; j--) chances[j - 1] = (chances[j]! * j) / (odds * (n - j + 1));
  const total = chances.reduce((a, b) => a + b, 0);
  return chances.map((chance) => chance / total);
}
