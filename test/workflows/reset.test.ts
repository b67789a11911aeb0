/**
 * Temporal's own reset of a run, on a real server: what it changes within a link of the continue-as-new chain, and what it
 * does not. The memo gives back what was done, so nothing is sampled or trained twice and no digest moves.
 */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunDocument } from '../../schemas/run.ts';
import type { IterationSummary, Progress } from '../../schemas/run.ts';
import { countingAdder } from '../support/counting-adder.ts';
import { createBench, smallRun, startRun, startServer } from '../support/temporal.ts';
import type { Bench } from '../support/temporal.ts';

let env: TestWorkflowEnvironment;
let on: Bench;
const adder = countingAdder();
let before: RunDocument;
/** Executions of the run's links, first to last. */
let links: string[];

const documentOf = async (run: string) => RunDocument.parse(await on.store.getName(`runs/${run}`));

/** Resets an execution to a completed workflow task (the k-th from the end) and waits for the end of what follows. */
async function reset<T>(workflowId: string, runId: string, fromEnd: number): Promise<{ runId: string; result: T }> {
  const { history } = await env.connection.workflowService.getWorkflowExecutionHistory({
    namespace: env.client.options.namespace,
    execution: { workflowId, runId },
  });
  const tasks = (history?.events ?? []).filter((event) => event.workflowTaskCompletedEventAttributes);
  const { runId: after } = await env.connection.workflowService.resetWorkflowExecution({
    namespace: env.client.options.namespace,
    workflowExecution: { workflowId, runId },
    reason: 'test',
    workflowTaskFinishEventId: tasks.at(-fromEnd)?.eventId ?? null,
    requestId: `${workflowId}-${runId}-${fromEnd}`,
  });
  const result = (await env.client.workflow.getHandle(workflowId, after).result()) as T;
  return { runId: after, result };
}

beforeAll(async () => {
  env = await startServer();
  on = await createBench(env, { engine: adder });
  await on.during(async () => {
    const handle = await startRun(
      on,
      'reset',
      smallRun({
        iterations: 9,
        shardSize: 1000,
        set: { ...smallRun().set, 'stages.batch.with.count': 10, 'stop.patience': 20 },
      }),
    );
    await handle.result();
    links = [handle.firstExecutionRunId, (await env.client.workflow.getHandle('reset').describe()).runId];
  });
  before = await documentOf('reset');
  expect(links[1], 'the run has two links').not.toBe(links[0]);
  expect(before.iterations).toHaveLength(10);
}, 400_000);
afterAll(async () => {
  await on.close();
  await env.teardown();
});

describe('a reset by Temporal', { timeout: 400_000 }, () => {
  it('of a closed iteration gives the same digests from the memo and leaves the run as it is', async () => {
    await on.during(async () => {
      adder.requests = 0;
      const id = 'reset/iteration-003';
      const { runId } = await env.client.workflow.getHandle(id).describe();
      const { runId: after, result } = await reset<IterationSummary>(id, runId, 3);
      expect(after).not.toBe(runId);
      expect(result.model).toEqual(before.iterations[3]?.model);
      expect(result.ledger).toEqual(before.iterations[3]?.ledger);
      expect(adder.requests).toBe(0);
    });
    expect(await documentOf('reset'), 'also the times are the old ones: the run did not move').toEqual(before);
  });

  it('of the last link goes on from the chosen task: same table, same digests, no work twice', async () => {
    await on.during(async () => {
      adder.requests = 0;
      const { result } = await reset<Progress>('reset', links[1] as string, 3);
      expect(result).toMatchObject({ status: 'done' });
      expect(result.records).toHaveLength(10);
      expect(adder.requests).toBe(0);
    });
    const after = await documentOf('reset');
    expect([after.ledgerDigest, after.weightsDigest]).toEqual([before.ledgerDigest, before.weightsDigest]);
    expect(after.startedAt).toBe(before.startedAt);
    expect(after.updatedAt, 'the document was written anew').not.toBe(before.updatedAt);
    expect(after.iterations.slice(0, 8), 'iterations of earlier links are the same records').toEqual(
      before.iterations.slice(0, 8),
    );
  });

  it('of the first link runs from there through all later links again, to the same digests', async () => {
    await on.during(async () => {
      adder.requests = 0;
      await reset<Progress>('reset', links[0] as string, 8);
      expect(adder.requests).toBe(0);
    });
    const after = await documentOf('reset');
    expect(after.status).toBe('done');
    expect(after.iterations).toHaveLength(10);
    expect([after.ledgerDigest, after.weightsDigest]).toEqual([before.ledgerDigest, before.weightsDigest]);
  });
});
