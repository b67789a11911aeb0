/**
 * Worker versions on a real server: a run stays on the code it was started with though a worker of another version joins and its own
 * one goes away; it is moved on purpose, with the commands of docs/howto/upgrade.md.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Progress } from '../../schemas/run.ts';
import { fileServer } from '../support/file-server.ts';
import { smallRun, temporalBinary, workflowBundle } from '../support/temporal.ts';
import { startWorker, tempHome } from './worker-process.ts';

const server = fileServer();
const input = { ...smallRun({ iterations: 2, shardSize: 500 }), parameters: { digits: 1 } };

describe('a deployment', () => {
  it('keeps a run on its version, gives new runs the current one, and moves a run when told', async () => {
    const { client, address } = server.env;
    const home = tempHome();
    const { code } = await workflowBundle();
    // Begins with another activity: a run of today's code that it took up would fail at once.
    const other = code.replaceAll('frame.resolve.', 'frame.recall.');
    expect(other).not.toBe(code);
    mkdirSync(path.join(home, 'bundles'));
    for (const [name, text] of Object.entries({ old: code, other, next: `// the next one\n${code}` }))
      writeFileSync(path.join(home, 'bundles', `${name}.js`), text);
    const worker = (bundle: string, delayMs = 0) =>
      startWorker(address, {
        home,
        words: ['--bundle', bundle],
        env: { STARTRAIL_DEPLOYMENT: 'nights', STARTRAIL_SCRIPTED_DELAY_MS: String(delayMs) },
      });
    const temporal = (...words: string[]) =>
      execFileSync(temporalBinary(), [...words, '--address', address], { encoding: 'utf8' });
    const start = (workflowId: string) =>
      client.workflow.start('starRun', { workflowId, taskQueue: 'startrail', args: [input] });
    const versionOf = async (workflowId: string) => {
      const { raw } = await client.workflow.getHandle(workflowId).describe();
      const info = raw.workflowExecutionInfo?.versioningInfo;
      return { ran: info?.deploymentVersion?.buildId, told: info?.versioningOverride?.pinned?.version?.buildId };
    };
    const failedTasks = async (workflowId: string) => {
      const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
      return (events ?? []).flatMap(({ workflowTaskFailedEventAttributes: failed }) => failed?.failure?.message ?? []);
    };

    const old = await worker('old', 100);
    expect(old.said).toMatchObject({ event: 'ready', version: 'old', current: 'old' });
    const joined = await worker('other');
    expect(joined.said, 'a later worker does not make itself current').toMatchObject({
      version: 'other',
      current: 'old',
    });
    const run = await start('pinned');
    await expect
      .poll(async () => (await run.query<Progress>('progress')).iteration, { timeout: 120_000, interval: 200 })
      .toBe(1);
    await old.end();
    await new Promise((resolve) => setTimeout(resolve, 12_000));
    const open: string[] = [];
    for await (const { workflowId } of client.workflow.list({ query: 'ExecutionStatus="Running"' }))
      open.push(workflowId);
    expect(open, 'the run and its iteration wait').toHaveLength(2);
    for (const id of open) {
      expect(await failedTasks(id), 'the other code never had it').toEqual([]);
      expect(await versionOf(id)).toMatchObject({ ran: 'old' });
    }

    const next = await worker('next');
    expect(next.said).toMatchObject({ version: 'next', current: 'old' });
    const pin = ['--versioning-override-behavior', 'pinned', '--versioning-override-deployment-name', 'nights'];
    for (const id of open)
      temporal('workflow', 'update-options', '--workflow-id', id, ...pin, '--versioning-override-build-id', 'next');
    expect(await run.result()).toMatchObject({ status: 'done' });
    expect(await versionOf('pinned')).toEqual({ ran: 'next', told: 'next' });
    expect(await versionOf('pinned/iteration-002'), 'what it starts goes with it').toMatchObject({ ran: 'next' });
    expect(await failedTasks('pinned')).toEqual([]);

    const current = ['--deployment-name', 'nights', '--build-id', 'next', '--yes'];
    temporal('worker', 'deployment', 'set-current-version', ...current);
    const fresh = await start('fresh');
    expect(await fresh.result()).toMatchObject({ status: 'done' });
    expect(await versionOf('fresh')).toMatchObject({ ran: 'next' });
    await joined.end();
    await next.end();
  });
});
