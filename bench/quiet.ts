/**
 * What thoughts, pauses and shuffled thoughts change in the loss of each kind of token, over runs of several seeds.
 *
 *   node --import tsx bench/quiet.ts --smallest 0.05 <home>/store quiet-star-1 quiet-star-pause-1 quiet-star-silent-1 quiet-star-2 …
 *
 * Runs come in threes, a seed each: thoughts, pauses, the text alone. Of each the last iteration counts. Nats a part, paired by problem; problems are
 * resampled within resampled seeds (report/pooled.ts), strata count alike. Reads only.
 */
import { parseArgs } from 'node:util';
import { mean, pooled, verdictOn } from '../report/pooled.ts';
import { LossRow } from '../schemas/losses.ts';
import { RunDocument } from '../schemas/run.ts';
import { createLocalStore } from '../store/local.ts';
import { readRows } from '../store/rows.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { smallest: { type: 'string', default: '0.05' } },
});
const [folder, ...runs] = positionals;
if (folder === undefined || runs.length === 0 || runs.length % 3 !== 0)
  throw new Error('give the folder of a store, then for each seed three runs: thoughts, pauses, the text alone');
const store = await createLocalStore(folder);

async function rowsOf(run: string): Promise<Map<string, LossRow>> {
  const { iterations } = RunDocument.parse(await store.getName(`runs/${run}`));
  const losses = iterations.at(-1)?.losses;
  if (!losses) throw new Error(`${run} has no losses in its last iteration; its recipe needs a stage perplexity`);
  const to = losses.rows.reduce((sum, shard) => sum + (shard.rows ?? 0), 0);
  const rows = await readRows(store, { shards: losses.rows, from: 0, to }, LossRow);
  return new Map(rows.map((row) => [row.problem, row]));
}

type Column = 'plain' | 'thinking' | 'shuffled';
/** A problem's mean of one column over its parts of a kind; null where it has none. */
function costOf({ problem, parts }: LossRow, kind: string, column: Column): number | null {
  const own = parts.filter((part) => part.kind === kind);
  if (own.length === 0) return null;
  return mean(
    own.map((part) => {
      const cost = part[column];
      if (cost === undefined)
        throw new Error(
          `problem ${problem} has no cost ${column}; give runs in threes: thoughts, pauses, the text alone`,
        );
      return cost;
    }),
  );
}

const rows = await Promise.all(runs.map(rowsOf));
const seeds = Array.from({ length: runs.length / 3 }, (_, n) => ({
  quiet: rows[3 * n]!,
  pause: rows[3 * n + 1]!,
  silent: rows[3 * n + 2]!,
}));
type Arm = keyof (typeof seeds)[number];
type Which = readonly [arm: Arm, column: Column];
const kinds = [...new Set([...rows[0]!.values()].flatMap(({ parts }) => parts.map(({ kind }) => kind)))];
const nats = (cost: number) => cost.toFixed(4);

/** By seed and stratum, problem by problem. */
const valuesOf = (valueOf: (seed: (typeof seeds)[number], problem: string) => number | null) =>
  seeds.map((seed) => {
    const strata = new Map<string, number[]>();
    for (const [problem, { stratum }] of seed.quiet) {
      const value = valueOf(seed, problem);
      if (value !== null) strata.set(stratum, [...(strata.get(stratum) ?? []), value]);
    }
    return [...strata.values()];
  });
const cost = (kind: string, [arm, column]: Which) => valuesOf((seed, id) => costOf(seed[arm].get(id)!, kind, column));

const COLUMNS: Record<string, Which> = {
  'quiet, behind thoughts': ['quiet', 'thinking'],
  'quiet, shuffled': ['quiet', 'shuffled'],
  'quiet, as it is': ['quiet', 'plain'],
  pause: ['pause', 'thinking'],
  silent: ['silent', 'plain'],
};
for (const kind of kinds)
  for (const [name, which] of Object.entries(COLUMNS)) {
    const bySeed = cost(kind, which).map((strata) => mean(strata.map(mean)));
    console.log(`${kind}: ${name} ${nats(mean(bySeed))} (by seed ${bySeed.map(nats).join(', ')})`);
  }
const DIFFERENCES: [string, Which, Which][] = [
  ['thoughts less the text alone', ['quiet', 'thinking'], ['silent', 'plain']],
  ['shuffled less the text alone', ['quiet', 'shuffled'], ['silent', 'plain']],
  ['shuffled less thoughts', ['quiet', 'shuffled'], ['quiet', 'thinking']],
  ['pauses less the text alone', ['pause', 'thinking'], ['silent', 'plain']],
  ['thoughts less pauses', ['quiet', 'thinking'], ['pause', 'thinking']],
  ['thoughts less the same model as it is', ['quiet', 'thinking'], ['quiet', 'plain']],
];
for (const kind of kinds)
  for (const [name, one, other] of DIFFERENCES) {
    const found = pooled(
      valuesOf((seed, id) => {
        const [a, b] = [costOf(seed[one[0]].get(id)!, kind, one[1]), costOf(seed[other[0]].get(id)!, kind, other[1])];
        return a === null || b === null ? null : a - b;
      }),
    );
    if (!found) continue;
    // A loss that falls is a gain.
    const gain = {
      ...found,
      value: -found.value,
      low: -found.high,
      high: -found.low,
      bySeed: found.bySeed.map((x) => -x),
    };
    const { value, low, high, bySeed, n } = found;
    console.log(
      `${kind}: ${name} ${nats(value)} (${nats(low)} to ${nats(high)}), by seed ${bySeed.map(nats).join(', ')}, ` +
        `n = ${n}; lower: ${verdictOn(gain, Number(values.smallest))}`,
    );
  }
