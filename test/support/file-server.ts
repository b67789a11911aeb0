/**
 * One Temporal server for the tests of a file, and benches on it that end with it.
 *
 *   const server = fileServer();
 *   it('…', async () => { const on = await server.bench({ engine }); … server.env.client … });
 */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll } from 'vitest';
import { createBench, startServer } from './temporal.ts';
import type { Bench } from './temporal.ts';

export interface FileServer {
  /** From the file's `beforeAll` on. */
  readonly env: TestWorkflowEnvironment;
  bench(options?: Parameters<typeof createBench>[1]): Promise<Bench>;
}

export function fileServer(): FileServer {
  let env: TestWorkflowEnvironment;
  const benches: Bench[] = [];
  beforeAll(async () => {
    env = await startServer();
  }, 120_000);
  afterAll(async () => {
    for (const one of benches) await one.close();
    await env.teardown();
  });
  return {
    get env() {
      return env;
    },
    async bench(options) {
      const one = await createBench(env, options);
      benches.push(one);
      return one;
    },
  };
}
