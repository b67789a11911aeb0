/**
 * The loop of theory/recursion.ts with finitely many samples: a table of transitions for each step, sampled, filtered and refitted by
 * counting. What the recursion says of endlessly many samples is held against this, and what only finite samples do is seen here.
 *
 *   const [base, first] = tabular({ states: 64, deltas: [0.1, 0.1, 0.1], iterations: 1, samples: 4096, seed: 1 });
 *   first.accuracy                 // exact J of the refitted table: the mean over starts, no sampling error of its own
 *
 * The right successor of state s is s + 1 (mod M) at each step; by symmetry any other would do. A row without kept chains keeps its
 * probabilities. The draws are those of a fixed generator: the same loop gives the same numbers everywhere.
 */
import { mulberry32 } from '../schemas/mulberry32.ts';
import type { Loop } from './recursion.ts';
import { deltaOf, predict, rightOf } from './recursion.ts';

export interface TabularLoop extends Loop {
  /** Chains sampled from each start in an iteration. */
  samples: number;
  seed: number;
}

export interface Measured {
  iteration: number;
  /** Probability that the table, sampled at the loop's temperature, ends right: mean over starts, exact. */
  accuracy: number;
  /** Share of the kept chains with every step right; null at iteration 0 and where none was kept. */
  sound: number | null;
  /** Chains kept. */
  kept: number;
  /** Advantage over chance of each step, mean over states. */
  deltas: number[];
}

/** Row-major: [state * M + next]. */
type Table = Float64Array;

const rightNext = (state: number, states: number): number => (state + 1) % states;

function tableOf(states: number, delta: number): Table {
  const table = new Float64Array(states * states).fill((1 - delta) / states);
  for (let s = 0; s < states; s++) table[s * states + rightNext(s, states)] = rightOf(states, delta);
  return table;
}

function atTemperature(table: Table, states: number, temperature: number): Table {
  if (temperature === 1) return table;
  const asked = table.map((p) => p ** (1 / temperature));
  for (let s = 0; s < states; s++) {
    const row = asked.subarray(s * states, (s + 1) * states);
    const sum = row.reduce((all, one) => all + one, 0);
    for (let next = 0; next < states; next++) row[next]! /= sum;
  }
  return asked;
}

/** Mean over starts of the probability that the chain ends right. */
function exactAccuracy(tables: Table[], states: number): number {
  let sum = 0;
  for (let start = 0; start < states; start++) {
    let at = new Float64Array(states);
    at[start] = 1;
    for (const table of tables) {
      const next = new Float64Array(states);
      for (let s = 0; s < states; s++) {
        const here = at[s]!;
        if (here > 0) for (let t = 0; t < states; t++) next[t]! += here * table[s * states + t]!;
      }
      at = next;
    }
    sum += at[(start + tables.length) % states]!;
  }
  return sum / states;
}

const deltasOf = (tables: Table[], states: number): number[] =>
  tables.map((table) => {
    let right = 0;
    for (let s = 0; s < states; s++) right += table[s * states + rightNext(s, states)]!;
    return deltaOf(states, right / states);
  });

/** Cumulative sums of each row, to draw by. */
function cumulative(table: Table, states: number): Table {
  const sums = new Float64Array(table.length);
  for (let s = 0; s < states; s++)
    for (let t = 0, sum = 0; t < states; t++) sums[s * states + t] = sum += table[s * states + t]!;
  return sums;
}

function draw(sums: Table, states: number, from: number, u: number): number {
  let [low, high] = [from * states, (from + 1) * states - 1];
  const wanted = u * sums[high]!;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle]! > wanted) high = middle;
    else low = middle + 1;
  }
  return low - from * states;
}

/** @throws RangeError as predict does, and where samples is no positive integer. */
export function tabular(loop: TabularLoop): Measured[] {
  const { states, deltas, iterations, samples, seed, falseAccepts = 0, temperature = 1 } = loop;
  predict({ ...loop, iterations: 0 });
  if (!Number.isInteger(samples) || samples < 1) throw new RangeError(`samples is ${samples}; it is 1 or more`);
  const random = mulberry32(seed);
  let tables = deltas.map((delta) => tableOf(states, delta));
  const ask = () => tables.map((table) => atTemperature(table, states, temperature));
  const measured: Measured[] = [
    { iteration: 0, accuracy: exactAccuracy(ask(), states), sound: null, kept: 0, deltas: deltasOf(tables, states) },
  ];
  const path = new Int32Array(deltas.length + 1);
  for (let iteration = 1; iteration <= iterations; iteration++) {
    const sums = ask().map((table) => cumulative(table, states));
    const counts = deltas.map(() => new Float64Array(states * states));
    let [kept, sound] = [0, 0];
    for (let start = 0; start < states; start++)
      for (let sample = 0; sample < samples; sample++) {
        path[0] = start;
        let right = true;
        for (let step = 0; step < deltas.length; step++) {
          const next = draw(sums[step]!, states, path[step]!, random());
          right &&= next === rightNext(path[step]!, states);
          path[step + 1] = next;
        }
        const ended = path[deltas.length] === (start + deltas.length) % states;
        // No draw where none is needed: with e = 0 the chains are those of the loop without the axis.
        if (!ended && (falseAccepts === 0 || random() >= falseAccepts)) continue;
        kept++;
        if (right) sound++;
        for (let step = 0; step < deltas.length; step++) counts[step]![path[step]! * states + path[step + 1]!]! += 1;
      }
    tables = tables.map((table, step) => refitted(table, counts[step]!, states));
    measured.push({
      iteration,
      accuracy: exactAccuracy(ask(), states),
      sound: kept === 0 ? null : sound / kept,
      kept,
      deltas: deltasOf(tables, states),
    });
  }
  return measured;
}

function refitted(table: Table, counts: Float64Array, states: number): Table {
  const next = Float64Array.from(table);
  for (let s = 0; s < states; s++) {
    const row = counts.subarray(s * states, (s + 1) * states);
    const sum = row.reduce((all, one) => all + one, 0);
    if (sum > 0) for (let t = 0; t < states; t++) next[s * states + t] = row[t]! / sum;
  }
  return next;
}
