/** The relatives of STaR, two iterations each, on a real server with the scripted engine. */
import { describe, expect, it } from 'vitest';
import { Example } from '../../schemas/example.ts';
import { ReplayResult } from '../../schemas/replay.ts';
import type { RunDocument, RunInput } from '../../schemas/run.ts';
import { asSlice, readRows } from '../../store/rows.ts';
import { joinShards } from '../../workflows/shards.ts';
import { suiteBench } from '../support/suite.ts';
import { documentOf, smallRun, startRun } from '../support/temporal.ts';

const on = suiteBench();

const finished = (recipe: string, more: Partial<RunInput> = {}): Promise<RunDocument> =>
  on.bench.during(async () => {
    await (await startRun(on.bench, recipe, smallRun({ recipe, ...more }))).result();
    return documentOf(on.bench, recipe);
  });
const learned = async (document: RunDocument, n: number): Promise<Example[]> =>
  readRows(on.bench.store, asSlice(joinShards(document.iterations[n]?.examples ?? [])), Example);
const most = (rows: Example[]): number =>
  Math.max(
    ...[...new Set(rows.map(({ problem }) => problem))].map((id) => rows.filter((row) => row.problem === id).length),
  );

describe('expert iteration', { timeout: 120_000 }, () => {
  it('keeps what earlier iterations found, each completion once, and a replay finds it too', async () => {
    const document = await finished('expert-iteration');
    const [first, second] = [await learned(document, 1), await learned(document, 2)];
    const key = ({ problem, completion }: Example) => `${problem}\n${completion}`;
    expect(first.length).toBeGreaterThan(8);
    expect(second.length).toBeGreaterThan(first.length);
    const held = new Set(second.map(key));
    expect(held.size).toBe(second.length);
    for (const row of first) expect(held).toContain(key(row));
    expect(most(second)).toBeLessThanOrEqual(10);
    await on.bench.during(async () => {
      const args = [{ run: 'expert-iteration', iteration: 2 }];
      const handle = await on.env.client.workflow.start('starReplay', {
        workflowId: 'expert-iteration/replay-2-1',
        taskQueue: on.bench.taskQueue,
        args,
      });
      expect(ReplayResult.parse(await handle.result())).toMatchObject({ same: true, redone: 0 });
    });
  });
});

describe('ReST-EM and RFT', { timeout: 120_000 }, () => {
  it('ReST-EM forgets them, and RFT is one pass', async () => {
    const restEm = await finished('rest-em');
    const drawn = new Set((await learned(restEm, 2)).map(({ problem }) => problem));
    expect(restEm.iterations[2]?.kept).toBeUndefined();
    expect(drawn.size).toBeLessThanOrEqual(40);
    expect((await finished('rft')).iterations).toHaveLength(2);
  });
});

describe('controls', { timeout: 120_000 }, () => {
  it('shuffled gold keeps next to nothing', async () => {
    const star = await finished('star', { iterations: 1 });
    const shuffled = await finished('star-shuffled-gold', { iterations: 1 });
    const kept = ({ iterations }: RunDocument) => iterations[1]?.ledger.acceptedFree ?? 0;
    expect(kept(star)).toBeGreaterThan(8);
    expect(kept(shuffled)).toBeLessThan(3);
    expect(shuffled.iterations[1]?.drawn).toBe(star.iterations[1]?.drawn);
  });

  it('untrained says of the base, sampled anew, what iteration 0 said', async () => {
    const { iterations } = await finished('star-untrained', {
      iterations: 1,
      set: { 'base.steps': { first: 4, growth: 1, add: 0 } },
    });
    const [zero, one] = iterations;
    expect(one?.stages?.score?.redone).toBeGreaterThan(0);
    expect(one?.weightsDigest).toBe(zero?.weightsDigest);
    expect(one?.scores).toEqual(zero?.scores);
  });
});
