/** B-STaR on a real server with the scripted engine: the temperature of an iteration is one of the grid, and a replay takes the same. */
import { expect, it } from 'vitest';
import { ReplayResult } from '../../schemas/replay.ts';
import { suiteBench } from '../support/suite.ts';
import { documentOf, smallRun, startRun } from '../support/temporal.ts';

const on = suiteBench();

it(
  'tries its temperatures in every iteration, keeps what is right, and is replayed to the bit',
  { timeout: 300_000 },
  async () => {
    const set = { 'stages.tuned.with.problems': 6, 'stages.tuned.with.samples': 2 };
    await on.bench.during(async () => {
      await (await startRun(on.bench, 'b-star', smallRun({ recipe: 'b-star', set }))).result();
      const { iterations } = await documentOf(on.bench, 'b-star');
      expect(iterations).toHaveLength(3);
      for (const { tokens, ledger } of iterations.slice(1)) {
        // What is tried is sampled, and is none of the ledger's.
        expect(tokens.tuned).toBeGreaterThan(0);
        expect(ledger.acceptedFree).toBeGreaterThan(0);
        expect(ledger.acceptedHinted).toBe(0);
      }
      const args = [{ run: 'b-star', iteration: 2 }];
      const { taskQueue } = on.bench;
      const handle = await on.env.client.workflow.start('starReplay', {
        workflowId: 'b-star/replay-2-1',
        taskQueue,
        args,
      });
      expect(ReplayResult.parse(await handle.result())).toMatchObject({ same: true, redone: 0 });
    });
  },
);
