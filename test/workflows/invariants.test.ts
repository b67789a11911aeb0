/**
 * Invariants of a whole run (contracts.md), on a real server with a recording engine. I6, I7 (batches) and I8 (rates) are
 * held in test/engine, I9 in test/chaos.
 */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import type { Engine, SampleRequest, TrainRequest } from '../../engine/engine.ts';
import { Example } from '../../schemas/example.ts';
import { RunDocument } from '../../schemas/run.ts';
import type { StageInput, StageKind } from '../../schemas/stage.ts';
import { LedgerRow } from '../../schemas/verdict.ts';
import { memoKeyOf } from '../../store/memo-key.ts';
import { readRows } from '../../store/rows.ts';
import { taskById } from '../../tasks/index.ts';
import type { Task } from '../../tasks/task.ts';
import { createBench, scriptedAdder, smallRun, startRun, startServer } from '../support/temporal.ts';
import type { Bench } from '../support/temporal.ts';

const addition = taskById('addition') as Task;
const parameters = { digits: 2 };

/** The engine of the tests, with everything that was asked of it. */
function recording() {
  const inner = scriptedAdder();
  const trained: { request: TrainRequest; data: string }[] = [];
  const sampled: SampleRequest[] = [];
  const engine: Engine = {
    ...inner,
    async sample(request, control) {
      sampled.push(request);
      return inner.sample(request, control);
    },
    async train(request, control) {
      const { readFile } = await import('node:fs/promises');
      trained.push({ request, data: await readFile(request.dataPath, 'utf8') });
      return inner.train(request, control);
    },
  };
  return { engine, trained, sampled };
}

let env: TestWorkflowEnvironment;
const benches: Bench[] = [];
async function bench(options?: Parameters<typeof createBench>[1]): Promise<Bench> {
  const one = await createBench(env, options);
  benches.push(one);
  return one;
}
async function finished(on: Bench, id: string, input: unknown): Promise<RunDocument> {
  return on.during(async () => {
    await (await startRun(on, id, input)).result();
    return RunDocument.parse(await on.store.getName(`runs/${id}`));
  });
}

let first: Awaited<ReturnType<typeof bench>>;
let document: RunDocument;
let record: ReturnType<typeof recording>;
beforeAll(async () => {
  env = await startServer();
  record = recording();
  first = await bench({ engine: record.engine });
  document = await finished(first, 'invariants', smallRun());
}, 120_000);
afterAll(async () => {
  for (const one of benches) await one.close();
  await env.teardown();
});

const slice = (shards: RunDocument['iterations'][number]['examples']) => ({
  shards,
  rows: shards.reduce((sum, shard) => sum + (shard.rows ?? 0), 0),
});

describe('invariants of a run', () => {
  it('I1: every fine-tune from $base starts from the checkpoint of iteration 0, from step 0', () => {
    const [base, ...rest] = record.trained;
    expect(base?.request.start.kind).toBe('fresh');
    expect(rest).toHaveLength(2);
    const digest = document.iterations[0]?.checkpoint;
    for (const { request } of rest) expect(request.start).toMatchObject({ kind: 'checkpoint', checkpoint: { digest } });
    // Snapshots of one fine-tune can't be taken up by another: their keys differ.
    expect(new Set(record.trained.map(({ request }) => request.resume?.key)).size).toBe(3);
  });

  it('I2: what the model wrote itself is trained on under the plain prompt; hints come from seeds alone', async () => {
    let hinted = 0;
    for (const { examples } of document.iterations)
      for (const row of await readRows(first.store, slice(examples), Example)) {
        const [a = '', b = ''] = row.problem.split('+');
        expect(row.prompt).toBe(`${a}+${b}\n`);
        if (row.origin === 'hinted') hinted++;
      }
    expect(hinted, 'the run had hinted rows to get this wrong with').toBeGreaterThan(2);
    const seeds = addition.seeds(parameters, 'any').length;
    for (const { data } of record.trained) {
      const withHint = data.split('\n').filter((line) => /"prompt":"\d+\+\d+=/.test(line)).length;
      expect(withHint).toBeLessThanOrEqual(seeds);
    }
  });

  it('I3 and I10: every drawn problem has one outcome, and the shares are reported in every iteration', async () => {
    for (const { drawn, ledger, ledgerRef, soundShare, n } of document.iterations) {
      const rows = await readRows(first.store, slice([ledgerRef]), LedgerRow);
      expect(rows).toHaveLength(drawn);
      expect(new Set(rows.map((row) => row.problem)).size).toBe(drawn);
      const count = (outcome: string) => rows.filter((row) => row.outcome === outcome).length;
      expect(ledger).toEqual({
        acceptedFree: count('accepted-free'),
        acceptedHinted: count('accepted-hinted'),
        rejected: count('rejected'),
        unjudged: count('unjudged'),
      });
      if (n > 0) expect(soundShare).not.toBeNull();
    }
  });

  it(
    'I3: with a verifier that fails for some problems, those are unjudged, not wrong, and not trained on',
    { timeout: 180_000 },
    async () => {
      const broken: Task = {
        ...addition,
        id: 'addition-outage',
        judge: (problem, text) => {
          if (Number(problem.data.a) % 3 === 0) throw new Error('the judge is out');
          return addition.judge(problem, text);
        },
      };
      const on = await bench({ tasks: [broken] });
      const small = smallRun({ task: 'addition-outage', iterations: 1 });
      const run = await finished(on, 'outage', { ...small, set: { ...small.set, 'judging.atMostUnjudged': 0.5 } });
      const { ledger, drawn, partial, examples, ledgerRef } = run.iterations[1] as RunDocument['iterations'][number];
      expect(ledger.acceptedFree + ledger.acceptedHinted + ledger.rejected + ledger.unjudged).toBe(drawn);
      expect(ledger.unjudged).toBeGreaterThan(5);
      expect(partial).toBe(true);
      for (const row of await readRows(on.store, slice([ledgerRef]), LedgerRow))
        expect(row.outcome === 'unjudged').toBe(Number(row.problem.split('+')[0]) % 3 === 0);
      for (const row of await readRows(on.store, slice(examples), Example))
        expect(Number(row.problem.split('+')[0]) % 3).not.toBe(0);
    },
  );

  it('I4: an activity that is delivered again yields the same bytes, also when the memo has forgotten it', async () => {
    const again = createActivities(first.deps);
    const producers = await first.store.listNames('producers/');
    expect(producers.length).toBeGreaterThan(20);
    const kinds = new Set<StageKind>();
    for (const name of producers) {
      const { input } = (await first.store.getName(name)) as { input?: StageInput };
      if (input === undefined) continue; // the list behind a manifest: nothing was run for it

      if (kinds.has(input.kind)) continue;
      kinds.add(input.kind);
      const mock = new MockActivityEnvironment();
      const activity = again[input.kind] as (input: StageInput) => Promise<{ outputs: unknown; reused: boolean }>;
      const deliver = () =>
        mock.run<[StageInput], { outputs: unknown; reused: boolean }, typeof activity>(activity, input);
      const remembered = await deliver();
      expect(remembered.reused).toBe(true);
      await first.store.removeName(`memo/${memoKeyOf(input)}`);
      const redone = await deliver();
      expect(redone.reused, input.kind).toBe(false);
      expect(redone.outputs, input.kind).toEqual(remembered.outputs);
    }
    expect([...kinds].sort()).toEqual(['draw', 'evaluate', 'fine-tune', 'generate', 'rationalize', 'select', 'verify']);
  });

  it.each([7, 1000])(
    'I5 and I7: with %i problems a shard the ledger has the same digest',
    { timeout: 180_000 },
    async (shardSize) => {
      const on = await bench();
      const other = await finished(on, `shards-${shardSize}`, smallRun({ shardSize }));
      expect(other.ledgerDigest).toBe(document.ledgerDigest);
      expect(other.weightsDigest).toBe(document.weightsDigest);
    },
  );

  it('another seed gives another ledger (the comparison of digests can fail)', { timeout: 180_000 }, async () => {
    const other = await finished(await bench(), 'seed-2', smallRun({ seed: 2 }));
    expect(other.ledgerDigest).not.toBe(document.ledgerDigest);
  });

  it('I11: no identity of dev or test is drawn, trained on, or stands among the seeds', () => {
    const held = new Set(
      (['dev', 'test'] as const).flatMap((split) =>
        addition.heldOut(split, parameters).map((problem) => problem.identity),
      ),
    );
    expect(held.size).toBeGreaterThan(500);
    const identity = (prompt: string) => {
      const [, a = '', b = ''] = /(\d+)\+(\d+)/.exec(prompt) ?? [];
      return Number(a) <= Number(b) ? `${a}+${b}` : `${b}+${a}`;
    };
    for (const { data } of record.trained)
      for (const line of data.split('\n').filter(Boolean))
        expect(held.has(identity((JSON.parse(line) as { prompt: string }).prompt))).toBe(false);
    const evaluated = record.sampled.flatMap((request) => request.rows).filter((row) => held.has(identity(row.prompt)));
    expect(
      evaluated.every((row) => !row.prompt.includes('=')),
      'held-out prompts never show the answer',
    ).toBe(true);
  });

  it('I12: no payload of any history is larger than 100 KB', { timeout: 30_000 }, async () => {
    let payloads = 0;
    for (const id of ['invariants', ...document.iterations.map(({ n }) => `invariants/iteration-00${n}`)]) {
      const history = await env.client.workflow.getHandle(id).fetchHistory();
      const walk = (value: unknown): void => {
        if (value instanceof Uint8Array) {
          payloads++;
          expect(value.byteLength).toBeLessThan(100_000);
        } else if (Array.isArray(value)) value.forEach(walk);
        else if (typeof value === 'object' && value !== null) Object.values(value).forEach(walk);
      };
      walk(history.events);
    }
    expect(payloads).toBeGreaterThan(30);
  });

  it(
    'I13: with every label of the test split corrupted, decisions, ledger and weights stay the same',
    { timeout: 180_000 },
    async () => {
      const corrupted: Task = {
        ...addition,
        heldOut: (split, of) =>
          addition.heldOut(split, of).map((problem) => (split === 'test' ? { ...problem, gold: ['0'] } : problem)),
      };
      // A single iteration without a better score ends this run. Its dev rises at first; the corrupted test is 0 throughout.
      const small = smallRun({ seed: 3 });
      const input = { ...small, set: { ...small.set, 'stop.patience': 1 } };
      const honest = await finished(await bench(), 'honest', input);
      const other = await finished(await bench({ tasks: [corrupted] }), 'corrupted', input);
      expect(honest.iterations[1]?.dev.overall).toBeGreaterThan(honest.iterations[0]?.dev.overall as number);
      expect(honest.iterations, 'by dev there is no plateau').toHaveLength(3);
      expect(other.iterations.at(-1)?.accuracy.overall, 'the corruption was real').toBe(0);
      expect(honest.iterations.at(-1)?.accuracy.overall).toBeGreaterThan(0.2);
      expect(other.iterations.map((one) => one.dev)).toEqual(honest.iterations.map((one) => one.dev));
      expect(other.best?.n).toBe(honest.best?.n);
      expect(other.ledgerDigest).toBe(honest.ledgerDigest);
      expect(other.weightsDigest).toBe(honest.weightsDigest);
    },
  );
});
