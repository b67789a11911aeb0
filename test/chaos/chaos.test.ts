/**
 * Killed anywhere and gone on with = undisturbed, by digest (I9).
 *
 *   npm run test:chaos                            every stage, and 20 kills at random moments
 *   STARTRAIL_CHAOS_KILLS=100 STARTRAIL_CHAOS_SEED=7 npm run test:chaos
 *
 * One line per kill: what was killed, when, seconds until work went on, whether both digests are those of the undisturbed run.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Home } from './home.ts';
import { momentsOf } from './moments.ts';
import type { Moment } from './moments.ts';
import { holdAgainst, LIMIT_S, strike } from './undergo.ts';
import type { Kill, Line, Target } from './undergo.ts';

const homes: Home[] = [];
let reference: Home;
const newHome = (): Home => {
  const home = new Home(reference);
  homes.push(home);
  return home;
};

const lines: (Line & { equal: boolean })[] = [];
const print = (text: string) => process.stderr.write(`${text}\n`);

/** Kills one after the other, runs to the end, compares, prints. */
async function undergo(home: Home, kills: Kill[]): Promise<void> {
  const struck: Line[] = [];
  let equal = false;
  try {
    await home.run();
    for (const one of kills) {
      const line = await strike(home, one);
      if (!line) throw new Error(`the run was over before ${one.at.name}; last words:\n${home.lastWords()}`);
      struck.push(line);
    }
    await holdAgainst(home, await home.end(), reference);
    equal = true;
  } finally {
    for (const { what, at, seconds } of struck) {
      lines.push({ what, at, seconds, equal });
      print(
        `killed ${what.padEnd(10)} at ${at.name.padEnd(40)} work after ${seconds.toFixed(1).padStart(5)} s   digests ${equal ? 'equal' : 'NOT EQUAL'}`,
      );
    }
  }
}

beforeAll(async () => {
  reference = new Home();
  homes.push(reference);
  await reference.run();
  const { code, document, errors } = await reference.end();
  expect(code, errors).toBe(0);
  const ledgers = document?.iterations.slice(1).map((record) => record.ledger) ?? [];
  // A run in which nothing is accepted would be equal to itself however it was treated.
  expect(
    ledgers.every((ledger) => ledger.acceptedFree > 0 && ledger.acceptedHinted > 0),
    JSON.stringify(ledgers),
  ).toBe(true);
}, 180_000);

afterAll(async () => {
  for (const home of homes) await home.remove();
  const seconds = lines.map((line) => line.seconds).sort((x, y) => x - y);
  if (seconds.length === 0) return;
  const equal = lines.filter((line) => line.equal).length;
  print(
    `${lines.length} kills, ${equal} with equal digests; work went on after ${seconds[Math.floor(seconds.length / 2)]?.toFixed(1)} s (median), ${seconds.at(-1)?.toFixed(1)} s (most; at most ${LIMIT_S} s are allowed)`,
  );
}, 60_000);

type Moments = ReturnType<typeof momentsOf>;
/** Each target at four stages or more, each stage at least once; kills of one row share a run. */
const PLAN: [Target, (m: Moments) => Moment][][] = [
  [
    ['worker', (m) => m.resolving()],
    ['worker', (m) => m.middle('0/base/0')],
    ['worker', (m) => m.written('1/batch/0')],
    ['worker', (m) => m.entered('1/free/0')],
    ['worker', (m) => m.sealing(2)],
  ],
  [
    ['engine', (m) => m.begins('0/base/0')],
    ['engine', (m) => m.entered('0/base/0', 60)],
    ['engine', (m) => m.entered('1/batch/0', 100)],
    ['engine', (m) => m.entered('1/hinted/0')],
    ['engine', (m) => m.middle('2/next/0', 200)],
  ],
  [
    ['server', (m) => m.middle('0/base/0', 100)],
    ['server', (m) => m.written('1/judged/1')],
    ['server', (m) => m.written('1/kept/0')],
    ['server', (m) => m.begins('1/next/0')],
    ['server', (m) => m.written('2/score/0')],
  ],
  [
    ['cli', (m) => m.entered('0/base/0')],
    ['cli', (m) => m.written('1/hinted/0')],
    ['cli', (m) => m.trained('1/next/0')],
    ['cli', (m) => m.entered('2/second/0')],
  ],
  [
    ['everything', (m) => m.middle('0/base/0')],
    ['everything', (m) => m.written('1/free/1')],
    ['everything', (m) => m.middle('1/next/0', 150)],
    ['everything', (m) => m.entered('1/next/0', 40)],
    ['everything', (m) => m.sealing(2)],
  ],
];

describe('killed at a stage', () => {
  for (const row of PLAN)
    it(
      row
        .map(([what]) => what)
        .filter((what, i, all) => all.indexOf(what) === i)
        .join(', '),
      async () => {
        const moments = momentsOf(reference);
        await undergo(
          newHome(),
          row.map(([what, at]) => ({ what, at: at(moments) })),
        );
      },
    );
});
