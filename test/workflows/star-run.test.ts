import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { UPDATES } from '../../schemas/run.ts';
import { createBench, documentOf, smallRun, startRun, startServer } from '../support/temporal.ts';

let env: TestWorkflowEnvironment;
beforeAll(async () => {
  env = await startServer();
}, 60_000);
afterAll(() => env.teardown());

interface Metadata {
  currentDetails: string;
  definition: { updateDefinitions: { name: string; description: string }[] };
}

describe('a run', () => {
  it('goes from its input to a sealed table', { timeout: 180_000 }, async () => {
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

  it(
    'tells people what each activity is for, how it stands, and what can be sent to it',
    { timeout: 180_000 },
    async () => {
      const bench = await createBench(env);
      await bench.during(async () => {
        await (await startRun(bench, 'told', smallRun({ iterations: 1 }))).result();
        const { workflow } = env.client;
        const metadata = await workflow.getHandle('told').query<Metadata>('__temporal_workflow_metadata');
        expect(metadata.currentDetails).toMatch(/^\*\*star\*\* on addition: done .*\n\n\| iteration \| drawn \|/);
        const updates = metadata.definition.updateDefinitions;
        expect(updates.map(({ name }) => name).sort()).toEqual(Object.values(UPDATES).sort());
        for (const { name, description } of updates) expect(description, name).toMatch(/\w+ \w+/);
        for (const id of ['told', 'told/iteration-001'])
          for (const event of (await workflow.getHandle(id).fetchHistory()).events ?? []) {
            const { activityType } = event.activityTaskScheduledEventAttributes ?? {};
            if (activityType) expect(event.userMetadata?.summary, `${id}: ${activityType.name}`).toBeTruthy();
          }
      });
      await bench.close();
    },
  );
});
