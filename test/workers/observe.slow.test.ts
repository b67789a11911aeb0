/** A worker watched from outside: metrics, traces, search attributes and log lines of a real run; and what it says when it can't. */
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { SpanStatusCode } from '@opentelemetry/api';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SEARCH_ATTRIBUTES } from '../../schemas/search-attributes.ts';
import { createLocalStore } from '../../store/local.ts';
import { RunDocument } from '../../schemas/run.ts';
import { fileServer } from '../support/file-server.ts';
import { freePort } from '../support/free-port.ts';
import { smallRun } from '../support/temporal.ts';
import { startCollector } from './collector.ts';
import type { CollectedSpan } from './collector.ts';
import { startWorker } from './worker-process.ts';
import type { WorkerProcess } from './worker-process.ts';

const server = fileServer();
let client: Client;
let address: string;
let collector: Awaited<ReturnType<typeof startCollector>>;
beforeAll(async () => {
  client = server.env.client;
  address = server.env.address;
  collector = await startCollector();
}, 60_000);
afterAll(() => collector.close());

/** Two shards of a draw, one of what follows on its hints. */
const input = { ...smallRun({ iterations: 1, shardSize: 25 }), parameters: { digits: 1 } };
const run = async (workflowId: string) => {
  const handle = await client.workflow.start('starRun', { workflowId, taskQueue: 'startrail', args: [input] });
  await handle.result();
  return handle;
};
/** Those of ours: the server has some of its own. */
const attributesOf = async (handle: WorkflowHandle) => {
  const { typedSearchAttributes } = await handle.describe();
  const ours = typedSearchAttributes.getAll().filter(({ key }) => key.name.startsWith('Startrail'));
  return Object.fromEntries(ours.map(({ key, value }) => [key.name, value]));
};
const documentOf = async ({ home }: WorkerProcess, id: string) =>
  RunDocument.parse(await (await createLocalStore(`${home}/store`)).getName(`runs/${id}`));

describe('a worker', () => {
  let plain: RunDocument;
  it('that is asked for search attributes the server of somebody else lacks says so with the command, and ends', async () => {
    const worker = await startWorker(address, { env: { STARTRAIL_SEARCH_ATTRIBUTES: '1' } });
    const create = Object.entries(SEARCH_ATTRIBUTES).map(([name, type]) => `--name ${name} --type ${type}`);
    expect(worker.said).toMatchObject({ event: 'failed', code: 'SearchAttributesMissing' });
    expect(worker.said.message).toContain(
      `temporal operator search-attribute create --namespace default ${create.join(' ')}`,
    );
  });

  it('with everything off has no meter, no spans and no attributes; its log lines tell run, iteration, stage and shard', async () => {
    const worker = await startWorker(address);
    expect(worker.said).toEqual({ event: 'ready', pid: expect.any(Number) as number, roles: expect.any(Array) as [] });
    const handle = await run('unwatched');
    await worker.end();
    expect(await attributesOf(handle)).toEqual({});
    expect(collector.spans).toEqual([]);
    const shards = worker.log().filter(({ msg }) => msg === 'shard done');
    for (const line of shards)
      expect(line).toMatchObject({
        run: 'unwatched',
        iteration: expect.any(Number) as number,
        stage: expect.any(String) as string,
        shard: expect.any(Number) as number,
      });
    expect(new Set(shards.map(({ stage }) => stage))).toContain('free');
    plain = await documentOf(worker, 'unwatched');
  });
  it('with everything on serves metrics by run, recipe, task and stage, links spans from run to engine, writes attributes, and moves no digest', async () => {
    const port = await freePort();
    const worker = await startWorker(address, {
      own: true,
      env: {
        STARTRAIL_SEARCH_ATTRIBUTES: '1',
        STARTRAIL_METRICS: String(port),
        STARTRAIL_TRACES: collector.url,
        STARTRAIL_SCRIPTED_DELAY_MS: '60',
      },
    });
    expect(worker.said).toMatchObject({ event: 'ready' });
    const scrape = async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    let age = 0;
    const watching = setInterval(() => {
      void scrape().then((text) => {
        const [, found = '0'] = /startrail_shard_age_seconds\{[^}]*stage="free"[^}]*\} ([\d.]+)/.exec(text) ?? [];
        age = Math.max(age, Number(found));
      });
    }, 300);
    const handle = await run('watched');
    clearInterval(watching);
    const secret = 'words-of-a-prompt';
    const failing = { workflowId: 'refused', taskQueue: 'startrail', args: [{ ...input, task: secret }] };
    await expect((await client.workflow.start('starRun', failing)).result()).rejects.toThrow();
    const text = await scrape();
    const metric = (name: string, ...labels: string[]) => {
      const line = text.split('\n').find((one) => one.startsWith(`${name}{`) && labels.every((l) => one.includes(l)));
      return line === undefined ? undefined : Number(line.split(' ').at(-1));
    };
    const document = await documentOf(worker, 'watched');
    const [, record] = document.iterations;
    const of = ['run="watched"', 'recipe="star"', 'task="addition"'];
    expect(metric('startrail_accepted_share', ...of, 'how="free"')).toBeCloseTo(
      record!.ledger.acceptedFree / record!.drawn,
      5,
    );
    expect(metric('startrail_accuracy', ...of, 'split="test"')).toBeCloseTo(record!.accuracy.overall, 5);
    expect(metric('startrail_unjudged_share', ...of)).toBe(0);
    expect(metric('startrail_tokens_total', ...of, 'stage="free"')).toBe(record!.tokens.free);
    expect(metric('startrail_shards_total', ...of, 'stage="free"', 'reused="false"')).toBe(2);
    expect(metric('startrail_judgements_total', ...of, 'stage="judged"', 'verdict="incorrect"')).toBe(
      record!.drawn - record!.ledger.acceptedFree,
    );
    expect(metric('startrail_tokens_per_second', ...of, 'stage="free"'), 'nothing is under way').toBe(0);
    expect(age, 'a shard under way grows older').toBeGreaterThan(0.5);
    expect(text, 'on the same endpoint as the SDK').toContain('temporal_worker_task_slots_available');

    expect(document.ledgerDigest).toBe(plain.ledgerDigest);
    expect(document.weightsDigest).toBe(plain.weightsDigest);

    expect(await attributesOf(handle)).toEqual({
      StartrailRecipe: 'star',
      StartrailTask: 'addition',
      StartrailStatus: 'done',
      StartrailIteration: 1,
      StartrailAccuracy: document.best?.accuracy,
    });
    const query = 'StartrailRecipe="star" AND StartrailIteration=1';
    const found = async () => {
      const ids = [];
      for await (const one of client.workflow.list({ query })) ids.push(one.workflowId);
      return ids.sort();
    };
    await expect.poll(found, { timeout: 10_000 }).toEqual(['watched', 'watched/iteration-001']);
    const { history } = await client.workflowService.getWorkflowExecutionHistory({
      namespace: 'default',
      execution: { workflowId: 'watched' },
    });
    const taskFailures = history?.events?.filter((event) => event.workflowTaskFailedEventAttributes);
    expect(taskFailures, 'attributes registered a moment ago can be written').toEqual([]);

    await worker.end();
    expect([...collector.paths]).toEqual(['/v1/traces']);
    const failed = collector.spans.filter(({ status }) => status?.code === SpanStatusCode.ERROR);
    expect(failed.map(({ name }) => name)).toContain('RunActivity:resolve');
    expect(failed.flatMap(({ events }) => events ?? []).map(({ name }) => name)).toContain('exception');
    expect(JSON.stringify(collector.spans), 'of a failure its class, not what it says').not.toContain(secret);
    const spans = collector.spans.filter(({ traceId }) => failed.every((one) => one.traceId !== traceId));
    const parentOf = (span: CollectedSpan) => spans.find(({ spanId }) => spanId === span.parentSpanId);
    const chainOf = (span: CollectedSpan | undefined): string[] =>
      span === undefined ? [] : [span.name, ...chainOf(parentOf(span))];
    const value = (span: CollectedSpan, key: string) =>
      Object.values(span.attributes.find((one) => one.key === key)?.value ?? {})[0];
    const engine = spans.find((span) => span.name === 'engine' && value(span, 'stage') === 'free');
    expect(chainOf(engine)).toEqual([
      'engine',
      'RunActivity:generate',
      'StartActivity:generate',
      'RunWorkflow:starIteration',
      'StartChildWorkflow:starIteration',
      'RunWorkflow:starRun',
    ]);
    expect(new Set(spans.map(({ traceId }) => traceId)).size, 'one trace').toBe(1);
    expect(Number(value(engine!, 'iteration'))).toBe(1);
    expect(value(engine!, 'run')).toBe('watched');
  });

  it('whose metrics port is taken, or whose settings are none, says so in a sentence', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    const first = await startWorker(address, { env: { STARTRAIL_METRICS: String(port) } });
    expect(first.said).toMatchObject({ event: 'failed', code: 'MetricsPortInUse' });
    expect(first.said.message).toContain(`127.0.0.1:${port}`);
    await new Promise((resolve) => taken.close(resolve));
    const wrong: Record<string, string>[] = [{ STARTRAIL_METRICS: 'everywhere' }, { STARTRAIL_TRACES: 'collector' }];
    for (const env of wrong)
      expect((await startWorker(address, { env })).said).toMatchObject({ event: 'failed', code: 'InvalidInput' });
  });
});
