/** A machine's clock is set while a run works on it. */
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { RunDocument } from '../../schemas/run.ts';
import { createBench, scriptedAdder, smallRun, startRun, startServer } from '../support/temporal.ts';
import type { Bench } from '../support/temporal.ts';

const HOUR_MS = 3_600_000;
let env: TestWorkflowEnvironment;
let bench: Bench;

beforeAll(async () => {
  env = await startServer();
}, 60_000);
afterEach(async () => {
  vi.restoreAllMocks();
  await bench.close();
});
afterAll(() => env.teardown());

it(
  'set back by an hour in the middle of a shard: the run ends, and nothing took less than no time',
  { timeout: 60_000 },
  async () => {
    const inner = scriptedAdder();
    const { now } = Date;
    bench = await createBench(env, {
      engine: {
        ...inner,
        async sample(request, control) {
          const completions = await inner.sample(request, control);
          const set = vi.spyOn(Date, 'now').mockImplementation(() => now() - HOUR_MS);
          // The test's own client lives in this process too, and would take its deadlines for passed.
          setTimeout(() => set.mockRestore(), 20);
          return completions;
        },
      },
    });
    await bench.during(async () => {
      const handle = await startRun(bench, 'clock', smallRun({ iterations: 1 }));
      expect(await handle.result()).toMatchObject({ status: 'done' });
    });
    const { iterations } = RunDocument.parse(await bench.store.getName('runs/clock'));
    expect(Math.min(...iterations.flatMap(({ seconds }) => Object.values(seconds)))).toBeGreaterThanOrEqual(0);
    expect(Math.min(...bench.spans.map(({ seconds }) => seconds))).toBeGreaterThanOrEqual(0);
  },
);
