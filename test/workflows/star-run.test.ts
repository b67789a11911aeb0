import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { RunDocument } from '../../schemas/run.ts';
import { createBench, smallRun, startRun, startServer } from '../support/temporal.ts';
import type { Bench } from '../support/temporal.ts';

let env: TestWorkflowEnvironment;
beforeAll(async () => {
  env = await startServer();
}, 60_000);
afterAll(() => env.teardown());

const documentOf = async (bench: Bench, run: string) => RunDocument.parse(await bench.store.getName(`runs/${run}`));

describe('a run', () => {
  it('goes from its input to a sealed table', { timeout: 60_000 }, async () => {
    const bench = await createBench(env);
    await bench.during(async () => {
      const handle = await startRun(bench, 'table', smallRun());
      const progress = await handle.result();
      expect(progress).toMatchObject({ status: 'done', runId: 'table' });
      const document = await documentOf(bench, 'table');
      expect(document.iterations.map((record) => record.n)).toEqual([0, 1, 2]);
      for (const { drawn, ledger } of document.iterations)
        expect(ledger.acceptedFree + ledger.acceptedHinted + ledger.rejected + ledger.unjudged).toBe(drawn);
      expect(document.iterations[1]?.drawn).toBe(40);
      expect(document.iterations[1]?.ledger.acceptedFree).toBeGreaterThan(5);
      expect(document.iterations[1]?.ledger.acceptedHinted).toBeGreaterThan(2);
    });
    await bench.close();
  });
});
