/** A large iteration: every history under 5,000 events, every payload under 100 KB, the ledger that of a run without fan-out. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { largeAddition, largeRun } from '../../bench/fan-out.ts';
import { RunDocument } from '../../schemas/run.ts';
import { LedgerRow } from '../../schemas/verdict.ts';
import { rowBatches } from '../../store/rows.ts';
import { historySizes } from '../support/histories.ts';
import { createBench, startRun, startServer } from '../support/temporal.ts';

const PROBLEMS = 16_000;
/** 320 shards a stage: more than one link of a fan-out holds. */
const SHARD = 50;

let env: TestWorkflowEnvironment;
beforeAll(async () => {
  env = await startServer();
});
afterAll(() => env.teardown());

async function finished(id: string, fanOutAbove: number) {
  const bench = await createBench(env, { tasks: [largeAddition()], fanOutAbove, shardsInFlight: 8 });
  await bench.during(async () => (await startRun(bench, id, largeRun(PROBLEMS, SHARD))).result());
  return { bench, document: RunDocument.parse(await bench.store.getName(`runs/${id}`)) };
}

it('16,000 problems in 320 shards a stage leave small histories and payloads, and the ledger is whole and the same', async () => {
  const { bench, document } = await finished('large', 64);
  const sizes = await historySizes(env.client.workflow, 'large');
  const fans = sizes.filter(({ type }) => type === 'fanOut');
  expect(fans.filter(({ workflowId }) => workflowId.endsWith('001/free')).length, 'links').toBeGreaterThan(1);
  for (const one of sizes) {
    expect(one.events, one.workflowId).toBeLessThan(5_000);
    expect(one.largestPayload, one.workflowId).toBeLessThan(100_000);
  }
  const record = document.iterations[1] as RunDocument['iterations'][number];
  expect(record.drawn).toBe(PROBLEMS);
  const seen = new Set<string>();
  const ledger = { shards: [record.ledgerRef], rows: record.ledgerRef.rows ?? 0 };
  for await (const batch of rowBatches(bench.store, ledger, LedgerRow)) for (const row of batch) seen.add(row.problem);
  expect(seen.size).toBe(PROBLEMS);
  expect(Object.values(record.ledger).reduce((sum, one) => sum + one, 0)).toBe(PROBLEMS);

  const { bench: other, document: plain } = await finished('large-plain', 1_000_000);
  expect(plain.ledgerDigest).toBe(document.ledgerDigest);
  expect(plain.weightsDigest).toBe(document.weightsDigest);
  await bench.close();
  await other.close();
});
