/**
 * The small run of the chaos suite (real command line, server, worker and engine), undisturbed or struck by SIGKILL.
 *
 * Homes are new ones and share a workflow bundle, as the second run of a home would have it.
 */
import type { Span } from '../activities/dependencies.ts';
import { waitGone } from '../cli/process-identity.ts';
import { Home } from '../test/chaos/home.ts';
import { pause } from '../test/chaos/installation.ts';
import { kill } from '../test/chaos/processes.ts';
import type { Member, Role } from '../test/chaos/processes.ts';
import type { BenchContext } from './row.ts';
import { spansOf } from './spans.ts';

export interface SmallRun {
  /** Milliseconds since 1970. */
  commandAt: number;
  spans: Span[];
}

/** Runs one to its end. The home is the caller's to remove. @throws Error with its last words where it fails. */
async function undisturbed(like: Home | undefined): Promise<SmallRun & { home: Home }> {
  const home = new Home(like);
  const commandAt = Date.now();
  await home.run();
  const { code, errors } = await home.end();
  if (code !== 0) throw new Error(`a small run ended with exit code ${code}:\n${errors}\n${home.lastWords()}`);
  return { home, commandAt, spans: spansOf(home.folder, home.runId) };
}

let measured: Promise<SmallRun[]> | undefined;
/** As many as there are repetitions, after one that makes the bundle; once per bench, for all rows that ask. */
export function smallRuns({ repetitions, say }: BenchContext): Promise<SmallRun[]> {
  return (measured ??= (async () => {
    const first = await undisturbed(undefined);
    const runs: SmallRun[] = [];
    try {
      for (let n = 0; n < repetitions; n++) {
        const { home, ...run } = await undisturbed(first.home);
        await home.remove();
        runs.push(run);
        say(`small run ${n + 1} of ${repetitions}`);
      }
    } finally {
      await first.home.remove();
    }
    return runs;
  })());
}

export const TARGETS = ['worker', 'engine', 'server', 'everything'] as const;
export type Target = (typeof TARGETS)[number];

const LIMIT_S = 120;
/** A run is over after a dozen seconds of work: strikes come within this of the last recovery. */
const BETWEEN_MS = 4_000;

/**
 * SIGKILLs at random moments of small runs, in turn of each target, until there are `count`.
 * @param next uniform in [0, 1)
 * @param onStrike hears of each
 */
export async function strikes(
  count: number,
  next: () => number,
  onStrike: (target: Target, seconds: number) => void,
): Promise<void> {
  const { home: reference } = await undisturbed(undefined);
  let home: Home | undefined;
  try {
    for (let done = 0; done < count;) {
      if (home === undefined || home.command.over) {
        await home?.remove();
        home = new Home(reference);
        await home.run();
        // Nothing can be killed in the middle of its work before there is any.
        while (home.traces().size === 0 && !home.command.over) await pause(20);
      }
      await pause(next() * BETWEEN_MS);
      const target = TARGETS[done % TARGETS.length]!;
      const seconds = await strike(home, target);
      // The run was over before work could go on: that says nothing.
      if (seconds === undefined) continue;
      onStrike(target, seconds);
      done++;
    }
  } finally {
    await home?.remove();
    await reference.remove();
  }
}

async function strike(home: Home, target: Target): Promise<number | undefined> {
  const victims: Member[] = target === 'everything' ? home.find('cli') : home.find(target satisfies Role);
  if (home.command.over || victims.length === 0) return undefined;
  const { group, ended } = home.command;
  let from = Date.now();
  if (target === 'everything') process.kill(-group, 'SIGKILL');
  else for (const victim of victims) kill(victim);
  for (const victim of victims) await waitGone(victim, 5_000);
  let before = home.traces();
  if (target === 'everything') {
    await ended;
    before = home.traces();
    // Who starts it again is a person: the clock runs from there.
    from = Date.now();
    await home.goOn();
  }
  if (target === 'server') {
    // A worker finishes what it has while there is no server: that is not the run going on.
    await home.serverBack(victims[0]!, LIMIT_S);
    before = home.traces();
  }
  const seconds = await home.progress(before, from, LIMIT_S);
  return home.command.over ? undefined : seconds;
}
