/**
 * Every committed history replays with today's workflow code: a run that is open when a worker is upgraded goes on.
 *
 * Red after a change of workflow code? docs/howto/upgrade.md says what to do.
 */
import { Worker } from '@temporalio/worker';
import { beforeAll, describe, expect, it } from 'vitest';
import { UPDATES } from '../../schemas/run.ts';
import { quietRuntime, workflowBundle } from '../support/temporal.ts';
import { currentVersion, readHistories, scenariosOf, versions } from './histories/archive.ts';
import type { HistoryJson } from './histories/archive.ts';
import { SCENARIOS } from './histories/scenarios.ts';

let code: string;
beforeAll(async () => {
  quietRuntime();
  ({ code } = await workflowBundle());
}, 300_000);

interface Accepted {
  acceptedRequest: { input: { name: string } };
}
const replay = (history: HistoryJson, workflowId: string) =>
  Worker.runReplayHistory({ workflowBundle: { code } }, history, workflowId);
const all = versions().flatMap((version) => scenariosOf(version).map((scenario) => ({ version, scenario })));

describe('a committed history replays with the code of today', () => {
  it.each(all)('$version $scenario', { timeout: 120_000 }, async ({ version, scenario }) => {
    for (const { history, workflowId } of readHistories(version, scenario)) await replay(history, workflowId);
  });

  it('and does not where the code would have called two activities in another order', { timeout: 60_000 }, async () => {
    const [run] = readHistories(currentVersion(), 'star-with-hints').filter(({ type }) => type === 'starIteration');
    const { workflowId, history } = run!;
    const types = history.events.flatMap((event) => {
      const scheduled = event.activityTaskScheduledEventAttributes as { activityType: { name: string } } | undefined;
      return scheduled ? [scheduled] : [];
    });
    const [first, other] = [
      types[0]!,
      types.find(({ activityType }) => activityType.name !== types[0]!.activityType.name)!,
    ];
    [first.activityType, other.activityType] = [other.activityType, first.activityType];
    await expect(replay(history, workflowId)).rejects.toThrow(/Nondeterminism/);
  });
});

describe('the committed histories of this version', () => {
  it('hold every scenario, every workflow and every update, so that none goes untried', async () => {
    expect(scenariosOf(currentVersion())).toEqual(Object.keys(SCENARIOS).sort());
    const recorded = all
      .filter(({ version }) => version === currentVersion())
      .flatMap(({ version, scenario }) => readHistories(version, scenario));
    const exported = Object.keys(await import('../../workflows/index.ts'));
    expect([...new Set(recorded.map(({ type }) => type))].sort()).toEqual(exported.sort());
    const events = recorded.flatMap(({ history }) => history.events);
    const updates = events.map((one) => one.workflowExecutionUpdateAcceptedEventAttributes as Accepted | undefined);
    expect([...new Set(updates.flatMap((one) => one?.acceptedRequest.input.name ?? []))].sort()).toEqual(
      Object.values(UPDATES).sort(),
    );
    const kinds = new Set(events.map(({ eventType }) => String(eventType).replace('EVENT_TYPE_', '')));
    for (const kind of ['WORKFLOW_EXECUTION_CONTINUED_AS_NEW', 'WORKFLOW_EXECUTION_CANCELED', 'MARKER_RECORDED'])
      expect(kinds).toContain(kind);
    for (const kind of ['WORKFLOW_EXECUTION_SIGNALED', 'ACTIVITY_TASK_FAILED', 'CHILD_WORKFLOW_EXECUTION_FAILED'])
      expect(kinds).toContain(kind);
  });

  it('name no machine, no process and no folder', () => {
    for (const { version, scenario } of all) {
      const text = JSON.stringify(readHistories(version, scenario)).replaceAll(
        /"data":"([A-Za-z0-9+/=]+)"/g,
        (_, data: string) => Buffer.from(data, 'base64').toString(),
      );
      const told = text.match(/"identity"|"stackTrace"|"\d+@|file:\/\/|\/(home|root|tmp|work|Users)\//g);
      expect(told, scenario).toBeNull();
    }
  });
});
