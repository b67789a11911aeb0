/**
 * Killed anywhere and gone on with = undisturbed, by digest (I9).
 *
 *   npm run test:chaos                            every stage, and 20 kills at random moments
 *   STARTRAIL_CHAOS_KILLS=100 STARTRAIL_CHAOS_SEED=7 npm run test:chaos
 *
 * One line per kill: what was killed, when, seconds until work went on, whether both digests are those of the undisturbed run.
 */
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonicalJson } from '../../schemas/canonical.ts';
import { randomNumbers } from '../support/random-numbers.ts';
import { Home } from './home.ts';
import { momentsOf, reach } from './moments.ts';
import type { Moment } from './moments.ts';
import { kill } from './processes.ts';
import { holdAgainst, LIMIT_S, nothingLeft, strike, TARGETS } from './undergo.ts';
import type { Kill, Line, Target } from './undergo.ts';

const homes: Home[] = [];
let reference: Home;
let moments: ReturnType<typeof momentsOf>;
const newHome = (like: Home | undefined = reference): Home => {
  const home = new Home(like);
  homes.push(home);
  return home;
};

const lines: (Line & { equal: boolean })[] = [];
const print = (text: string) => process.stderr.write(`${text}\n`);

/** Kills one after the other until the run is over, then compares and prints. */
async function undergo(home: Home, kills: Iterable<Kill>): Promise<number> {
  const struck: Line[] = [];
  let equal = false;
  try {
    await home.run();
    for (const one of kills) {
      const line = await strike(home, one);
      if (!line) break;
      struck.push(line);
    }
    await holdAgainst(home, await home.end(), reference);
    equal = true;
  } finally {
    for (const line of struck) {
      lines.push({ ...line, equal });
      const after =
        line.seconds === null ? 'killed again before' : `work after ${line.seconds.toFixed(1).padStart(4)} s`;
      print(
        `killed ${line.what.padEnd(10)} at ${line.at.padEnd(42)} ${after.padEnd(20)} digests ${equal ? 'equal' : 'NOT EQUAL'}`,
      );
    }
  }
  return struck.length;
}

beforeAll(async () => {
  reference = new Home();
  homes.push(reference);
  await reference.run();
  const { code, document, errors } = await reference.end();
  expect(code, errors).toBe(0);
  const ledgers = document?.iterations.slice(1).map((record) => record.ledger) ?? [];
  // A run in which nothing is accepted would be equal to itself however it was treated.
  for (const { acceptedFree, acceptedHinted, rejected } of ledgers)
    expect(Math.min(acceptedFree, acceptedHinted, rejected), JSON.stringify(ledgers)).toBeGreaterThan(0);
  moments = momentsOf(reference);
}, 180_000);

afterAll(async () => {
  for (const home of homes) await home.remove();
  const seconds = lines.flatMap((line) => line.seconds ?? []).sort((x, y) => x - y);
  if (seconds.length === 0) return;
  const [median, most] = [seconds[Math.floor(seconds.length / 2)], seconds.at(-1)];
  print(
    `${lines.length} kills, ${lines.filter((line) => line.equal).length} with equal digests; ` +
      `work went on after ${median?.toFixed(1)} s (median), ${most?.toFixed(1)} s (most; ${LIMIT_S} s are allowed)`,
  );
}, 60_000);

/** Each target at four stages or more, each stage at least once. Kills of one row share a run. */
const PLAN: [Target, (m: typeof moments) => Moment][][] = [
  [
    ['worker', (m) => m.resolving()],
    ['worker', (m) => m.middle('0/base/0')],
    ['worker', (m) => m.published(0)],
    ['worker', (m) => m.written('1/batch/0')],
    ['worker', (m) => m.entered('1/free/0')],
    ['worker', (m) => m.sealing(2)],
  ],
  [
    ['engine', (m) => m.begins('0/base/0')],
    ['engine', (m) => m.entered('0/base/0', 60)],
    ['engine', (m) => m.entered('1/batch/0', 100)],
    ['engine', (m) => m.entered('1/hinted/0')],
    ['engine', (m) => m.middle('2/next/0', 100)],
  ],
  [
    ['server', (m) => m.opening()],
    ['server', (m) => m.middle('0/base/0', 100)],
    ['server', (m) => m.written('1/judged/1')],
    ['server', (m) => m.written('1/kept/0')],
    ['server', (m) => m.entered('1/score/0')],
    ['server', (m) => m.begins('2/next/0')],
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
    ['everything', (m) => m.published(1)],
    ['everything', (m) => m.entered('2/next/0', 40)],
    ['everything', (m) => m.sealing(2)],
  ],
];

describe('killed at a stage', () => {
  for (const row of PLAN)
    it(`the ${row[0]?.[0]}`, async () => {
      const kills = row.map(([what, at]) => ({ what, at: at(moments) }));
      expect(await undergo(newHome(), kills), 'kills before the run was over').toBe(row.length);
    });

  it('the owner, and nobody comes back: nothing of it lives on', async () => {
    const home = newHome();
    await home.run();
    expect(await reach(home, moments.middle('0/base/0'), 60)).toBe(true);
    for (const owner of home.find('cli')) kill(owner);
    await home.command.ended;
    await nothingLeft(home);
  });

  it('everything, before the run is known to anybody: the same command starts it', async () => {
    const home = newHome();
    expect(await undergo(home, [{ what: 'everything', at: moments.opening() }])).toBe(1);
  });
});

describe('killed at random moments', () => {
  const count = Number(process.env.STARTRAIL_CHAOS_KILLS ?? 20);
  const seed = Number(process.env.STARTRAIL_CHAOS_SEED ?? 20260101);
  it(`${count} times, seed ${seed}`, { timeout: count * 60_000 + 120_000 }, async () => {
    print(`${count} kills at random moments, STARTRAIL_CHAOS_SEED=${seed}`);
    const random = randomNumbers(seed);
    const { startedAt, updatedAt } = reference.document();
    const work = Date.parse(updatedAt) - Date.parse(startedAt);
    let done = 0;
    /** Up to five kills of a run: the first from its start on, the others soon after work went on or in the recovery. */
    function* kills(): Generator<Kill> {
      let last: Kill | undefined;
      for (let n = 0; n < 5 && done < count; n++) {
        const what = TARGETS[Math.floor(random() * TARGETS.length)] as Target;
        const after = Math.round(random() * (n === 0 ? work : work / 4));
        const hasty = random() < 0.2 && n < 4;
        const which = what === 'engine' ? random() : undefined;
        const name = `${(after / 1000).toFixed(1)} s after ${n === 0 ? 'the start' : last?.hasty ? 'the last kill' : 'work went on'}`;
        last = { what, at: { name, come: () => true, after }, hasty, which };
        yield last;
        done++;
      }
    }
    while (done < count) {
      await undergo(newHome(), kills());
    }
  });
});

/** One bit in the middle of a file that nobody may write. */
function flip(file: string): void {
  const bytes = readFileSync(file);
  const at = bytes.length >> 1;
  bytes[at] = (bytes[at] as number) ^ 4;
  chmodSync(file, 0o644);
  writeFileSync(file, bytes);
}

describe('a store that loses bytes under a run', () => {
  it('artifacts of every kind are noticed and made again', async () => {
    const home = newHome();
    const of = (stage: string) => home.objectOf(moments.own(stage));
    await home.run();
    expect(await reach(home, moments.middle('1/next/0'), 60)).toBe(true);
    flip(of('0/base/0')); // a checkpoint: the next fine-tune starts from it
    flip(of('1/batch/0')); // rows that seal reads
    rmSync(of('1/second/0'), { force: true });
    flip(home.objectOf(home.document().resolved?.seeds.shards[0]?.digest ?? '')); // a source, which no stage makes
    expect(await reach(home, moments.entered('1/score/0'), 60)).toBe(true);
    flip(of('1/next/0'));
    expect(await reach(home, moments.middle('2/next/0'), 60)).toBe(true);
    flip(home.objectOf(recordDigest(home, 1)));
    await holdAgainst(home, await home.end(), reference);
    expect(readdirSync(home.file('damaged')).length).toBe(5);
  });

  it('a snapshot and the memo, while everything is dead', async () => {
    const meanwhile = (home: Home) => {
      const folder = path.join(home.scratchOf(moments.keyOf('1/next/0')), 'snapshots');
      const newest = readdirSync(folder).sort().at(-1) as string;
      flip(path.join(folder, newest));
      flip(home.memoOf(moments.keyOf('1/kept/0')));
      rmSync(home.memoOf(moments.keyOf('1/free/1')));
    };
    const at = moments.middle('1/next/0', 200);
    expect(await undergo(newHome(), [{ what: 'everything', at, meanwhile }])).toBe(1);
  });

  it("the server's database in the middle of a run: a new run id goes on from the memo", async () => {
    const home = newHome();
    await home.run();
    expect(await reach(home, moments.middle('2/next/0'), 60)).toBe(true);
    process.kill(-home.command.group, 'SIGKILL');
    await home.command.ended;
    forgetServer(home);
    const watched = await home.other('watch', home.runId, '--json');
    expect({ code: watched.code, says: watched.out }).toMatchObject({
      code: 1,
      says: expect.stringContaining('RunForgotten') as string,
    });
    home.runId = 'again';
    await home.run();
    await holdAgainst(home, await home.end(), reference);
    expect(home.document().iterations[1]?.shards).toMatchObject({ redone: 0 });
  });
});

const recordDigest = (home: Home, n: number): string =>
  `sha256:${createHash('sha256').update(canonicalJson(home.document().iterations[n])).digest('hex')}`;

function forgetServer(home: Home): void {
  for (const name of readdirSync(home.folder)) if (name.startsWith('temporal.db')) rmSync(path.join(home.folder, name));
}

describe('undisturbed', () => {
  it('the same seed in another home gives the same digests, another seed does not', async () => {
    const [same, other] = [newHome(), newHome()];
    await same.run();
    await holdAgainst(same, await same.end(), reference);
    await other.run({ seed: 6 });
    const { document } = await other.end();
    const wanted = reference.document();
    expect(document?.status).toBe('done');
    expect([document?.ledgerDigest, document?.weightsDigest]).not.toContain(wanted.ledgerDigest);
    expect(document?.weightsDigest).not.toBe(wanted.weightsDigest);
  });

  it('another shard size gives the same ledger and the same weights (I5)', async () => {
    const home = newHome();
    await home.run({ shardSize: 7 });
    await holdAgainst(home, await home.end(), reference);
  });

  it("with the server's data deleted, show, ledger, report and list still work", async () => {
    const home = newHome();
    await home.run();
    await holdAgainst(home, await home.end(), reference);
    forgetServer(home);
    const show = await home.other('show', home.runId, '--json');
    expect(JSON.parse(show.out)).toMatchObject({ ledgerDigest: reference.document().ledgerDigest, status: 'done' });
    const list = await home.other('list', '--json');
    expect(list.out).toContain(`"${home.runId}"`);
    const ledger = await home.other('ledger', home.runId, '--json');
    expect(ledger.out.split('"accepted-hinted"').length).toBeGreaterThan(2);
    const report = await home.other('report', home.runId);
    expect([show.code, list.code, ledger.code, report.code], report.err).toEqual([0, 0, 0, 0]);
    expect(home.living()).toEqual([]);
  });
});
