/**
 * A server and a bench for all tests of a file: started before the first, ended behind the last.
 *
 *   const on = suiteBench();
 *   it('…', async () => on.bench.during(async () => (await startRun(on.bench, 'one', smallRun())).result()));
 */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll } from 'vitest';
import { createBench, startServer } from './temporal.ts';
import type { Bench } from './temporal.ts';

/** A machine that does much else starts a server slowly. */
const WITHIN_MS = 120_000;

export function suiteBench(options: Parameters<typeof createBench>[1] = {}): {
  env: TestWorkflowEnvironment;
  bench: Bench;
} {
  const on = {} as { env: TestWorkflowEnvironment; bench: Bench };
  beforeAll(async () => {
    on.env = await startServer();
    on.bench = await createBench(on.env, options);
  }, WITHIN_MS);
  afterAll(async () => {
    await on.bench.close();
    await on.env.teardown();
  });
  return on;
}
