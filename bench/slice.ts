/**
 * The slice of the benchmark that CI runs: a regression of more than 15% fails it, on any day and under any load.
 *
 *   npm run bench -- --slice            compares with bench/ratios.json
 *   npm run bench -- --slice --store    writes them down: after a change that is meant to be faster, or on a new machine
 *
 * No Python and no time: our work is held against a loop of tfjs' own operations of similar sizes (products, softmax, sums,
 * many small kernels) that none of our code is part of, in CPU-seconds of one thread, both in turn in one process. The median
 * of many such ratios moves by a few percent between runs. Where it is too low it is measured again, up to three times in
 * all: neighbours come and go, a regression stays.
 *
 * Limits: the ratio belongs to a processor and a TensorFlow; on one that is not in the file nothing is compared, and the run
 * says so. What waits without computing is not seen here: `npm run bench` measures wall time.
 */
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { writeText } from './results.ts';
import { median, rangeOf } from './statistics.ts';

const Ratios = z.record(z.string(), z.record(z.string(), z.number().positive()));
/** By machine, then by what was measured. */
export type Ratios = z.infer<typeof Ratios>;

/** Our work and the loop beside it; both are told how often to do theirs. */
export interface Probe {
  name: string;
  ours(): Promise<void>;
  calibration(): void;
}

export const TOLERANCE = 0.15;
const PAIRS = 25;
/** V8 compiles the hot loops and the library makes its pools in the first of them. */
const WARM_UP = 4;
const ATTEMPTS = 3;
const file = fileURLToPath(new URL('ratios.json', import.meta.url));

export interface Verdict {
  name: string;
  /** CPU-seconds of the loop / ours: more is faster. */
  ratio: number;
  stored: number | undefined;
  slower: boolean;
}

/** Whether a ratio is below the stored one by more than the tolerance. */
export function judge(name: string, ratio: number, stored: number | undefined): Verdict {
  return { name, ratio, stored, slower: stored !== undefined && ratio < stored * (1 - TOLERANCE) };
}

const cpuSeconds = async (work: () => Promise<void> | void): Promise<number> => {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
};

/** Ratios of pairs, the order turned round each time; the first ones warm up and do not count. */
export async function ratiosOf(probe: Probe, pairs = PAIRS): Promise<number[]> {
  const found: number[] = [];
  for (let pair = -WARM_UP; pair < pairs; pair++) {
    let [ours, loop] = [0, 0];
    if (pair % 2 === 0) ours = await cpuSeconds(() => probe.ours());
    loop = await cpuSeconds(() => probe.calibration());
    if (pair % 2 !== 0) ours = await cpuSeconds(() => probe.ours());
    if (pair >= 0) found.push(loop / ours);
  }
  return found;
}

/** Measures until it is fast enough, at most `ATTEMPTS` times; the best attempt counts. */
export async function attempt(
  probe: Probe,
  stored: number | undefined,
  say: (line: string) => void,
  pairs = PAIRS,
): Promise<Verdict> {
  let best: Verdict | undefined;
  for (let n = 0; n < ATTEMPTS && (best === undefined || best.slower); n++) {
    const ratios = await ratiosOf(probe, pairs);
    const verdict = judge(probe.name, median(ratios), stored);
    const [low, high] = rangeOf(ratios);
    const change = stored === undefined ? '' : `, ${percent(verdict.ratio / stored - 1)} against ${stored.toFixed(3)}`;
    say(`${probe.name}: ratio ${verdict.ratio.toFixed(3)} (${low.toFixed(3)}–${high.toFixed(3)})${change}`);
    if (best === undefined || verdict.ratio > best.ratio) best = verdict;
  }
  return best!;
}

const percent = (share: number) => `${share >= 0 ? '+' : '−'}${Math.abs(share * 100).toFixed(1)}%`;

/** @returns the exit code */
export async function slice(say: (line: string) => void, store: boolean): Promise<number> {
  // Before the library loads.
  process.env.STARTRAIL_ENGINE_THREADS = '1';
  const { probes } = await import('./probes.ts');
  const { libraryVersion } = await import('../engine/tfjs/raw.ts');
  const all = Ratios.parse(JSON.parse(readFileSync(file, 'utf8')));
  const machine = `${os.cpus()[0]?.model.trim()}, TensorFlow ${libraryVersion}`;
  const stored = store ? undefined : all[machine];
  const { made, close } = await probes();
  const verdicts: Verdict[] = [];
  try {
    for (const probe of made) verdicts.push(await attempt(probe, stored?.[probe.name], say));
  } finally {
    await close();
  }
  if (store) {
    all[machine] = Object.fromEntries(verdicts.map(({ name, ratio }) => [name, Math.round(ratio * 1000) / 1000]));
    writeText(file, `${JSON.stringify(all, null, 2)}\n`);
    say(`bench/ratios.json: written for ${machine}`);
    return 0;
  }
  if (stored === undefined) {
    say(
      `bench/ratios.json has no ratios of ${machine}: nothing was compared. Write them with: npm run bench -- --slice --store`,
    );
    return 0;
  }
  const slower = verdicts.filter((verdict) => verdict.slower);
  for (const { name, ratio, stored: before } of slower)
    say(
      `SliceSlower: ${name} reaches ratio ${ratio.toFixed(3)} in ${ATTEMPTS} attempts; expected at least ` +
        `${(before! * (1 - TOLERANCE)).toFixed(3)} (${before} less ${TOLERANCE * 100}%). Find what slowed it (git bisect run npm run ` +
        `bench -- --slice), or, if it is meant, write the new ratios with --store.`,
    );
  return slower.length === 0 ? 0 : 1;
}
