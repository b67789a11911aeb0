/** Judging trouble in a run: a poison problem costs one problem, an outage makes the run wait, and nothing is sampled twice. */
import { rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { WorkflowFailedError } from '@temporalio/client';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import type { Progress, RunDocument } from '../../schemas/run.ts';
import { LedgerRow } from '../../schemas/verdict.ts';
import { readRows } from '../../store/rows.ts';
import addition from '../../tasks/addition.ts';
import type { Task } from '../../tasks/task.ts';
import { fileServer } from '../support/file-server.ts';
import { documentOf, scriptedAdder, smallRun, startRun, untilWaiting } from '../support/temporal.ts';
import type { Bench } from '../support/temporal.ts';
import { misbehaving, TROUBLE } from '../verifiers/misbehaving.ts';

const server = fileServer();

/** A bench of its own home; what is sampled and trained on it is counted, and a trouble may begin with a prompt. */
async function bench() {
  const inner = scriptedAdder();
  const seen = { sampled: 0, trained: 0, onPrompt: (_: string): void => undefined };
  const engine: Engine = {
    ...inner,
    sample: (request, control) => {
      seen.sampled += request.rows.length;
      for (const { prompt } of request.rows) seen.onPrompt(prompt);
      return inner.sample(request, control);
    },
    train: (request, control) => {
      seen.trained++;
      return inner.train(request, control);
    },
  };
  const on = await server.bench({ engine, tasks: [misbehaving] });
  return { on, seen };
}
// One file for all: a verifier's process outlives a bench and keeps the environment it was started with.
const file = path.join(os.tmpdir(), `startrail-trouble-${process.pid}`);
process.env[TROUBLE] = file;
const begin = (what: string) => writeFileSync(file, what);
const end = () => rmSync(file, { force: true });
afterEach(end);
const input = (more: object = {}) => smallRun({ task: 'misbehaving', iterations: 1, shardSize: 200, ...more });
async function ledgerOf(on: Bench, run: string): Promise<LedgerRow[]> {
  const ref = (await documentOf(on, run)).iterations[1]!.ledgerRef;
  return readRows(on.store, { shards: [ref], from: 0, to: ref.rows ?? 0 }, LedgerRow);
}

describe('judging trouble', () => {
  let plain: { document: RunDocument; rows: LedgerRow[]; sampled: number };
  let drawn: string;
  beforeAll(async () => {
    const { on, seen } = await bench();
    await on.during(async () => (await startRun(on, 'plain', input())).result());
    plain = { document: await documentOf(on, 'plain'), rows: await ledgerOf(on, 'plain'), sampled: seen.sampled };
    drawn = plain.rows[3]!.problem;
  }, 120_000);
  const promptOf = (id: string) => {
    const [a = 0, b = 0] = id.split('+').map(Number);
    return addition.prompt.free({ id, identity: id, stratum: '', data: { a, b }, gold: [String(a + b)] });
  };

  it('a task judged in a child process gives the ledger that it gives in the worker', { timeout: 60_000 }, async () => {
    const inside: Task = { ...misbehaving, judging: { trusted: true } };
    const on = await server.bench({ tasks: [inside] });
    await on.during(async () => (await startRun(on, 'inside', input())).result());
    expect((await documentOf(on, 'inside')).ledgerDigest).toBe(plain.document.ledgerDigest);
  });

  it(
    'a problem whose judging fills the memory is one unjudged problem, with its cause, in a run that ends',
    { timeout: 120_000 },
    async () => {
      const { on } = await bench();
      begin(drawn);
      await on.during(async () => {
        const handle = await startRun(on, 'poison', input());
        expect(await handle.result()).toMatchObject({ status: 'done' });
      });
      const rows = await ledgerOf(on, 'poison');
      expect(rows.filter(({ outcome }) => outcome === 'unjudged').map(({ problem }) => problem)).toEqual([drawn]);
      expect(rows.find(({ problem }) => problem === drawn)?.samples[0]?.why).toBe(
        'the verifier ran out of memory (96 MB allowed)',
      );
      expect(rows.filter(({ problem }) => problem !== drawn)).toEqual(
        plain.rows.filter(({ problem }) => problem !== drawn),
      );
    },
  );

  it(
    'an outage makes the iteration wait before it trains; retried, the run ends as if nothing had been, sampling nothing twice',
    { timeout: 120_000 },
    async () => {
      const { on, seen } = await bench();
      seen.onPrompt = (prompt) => {
        if (prompt === promptOf(drawn)) begin('all');
      };
      await on.during(async () => {
        const handle = await startRun(on, 'outage', input());
        await untilWaiting(handle);
        const { reason } = await handle.query<Progress>('progress');
        expect(reason).toMatch(
          /^iteration 1 failed: JudgingTrouble: 40 of 40 judgements are missing .*connection refused/,
        );
        expect(seen.trained, 'the base alone').toBe(1);
        seen.onPrompt = () => undefined;
        end();
        await handle.executeUpdate('retryIteration', { args: [{}] });
        expect(await handle.result()).toMatchObject({ status: 'done' });
      });
      const document = await documentOf(on, 'outage');
      expect(document.ledgerDigest).toBe(plain.document.ledgerDigest);
      expect(document.weightsDigest).toBe(plain.document.weightsDigest);
      expect(seen.sampled).toBe(plain.sampled);
    },
  );

  it(
    'an outage while the base is scored is no score: the run waits, and judges the same answers when it is retried',
    { timeout: 120_000 },
    async () => {
      const { on, seen } = await bench();
      begin('all');
      await on.during(async () => {
        const handle = await startRun(on, 'base', input());
        await untilWaiting(handle);
        const { reason, records } = await handle.query<Progress>('progress');
        expect(reason).toContain('iteration 0 failed: JudgingTrouble');
        expect(records).toEqual([]);
        end();
        await handle.executeUpdate('retryIteration', { args: [{}] });
        await handle.result();
      });
      expect((await documentOf(on, 'base')).ledgerDigest).toBe(plain.document.ledgerDigest);
      expect(seen.sampled).toBe(plain.sampled);
    },
  );

  it(
    'the share that may be missing is declared: one of 40 is too many at 0.01, a retry may allow more and the record says so',
    { timeout: 120_000 },
    async () => {
      const { on } = await bench();
      begin(drawn);
      const strict = input({ set: { ...smallRun().set, 'judging.atMostUnjudged': 0.01 } });
      await on.during(async () => {
        const failing = await startRun(on, 'strict-fails', { ...strict, onFailure: 'fail' });
        await expect(failing.result()).rejects.toThrow(WorkflowFailedError);
        expect((await documentOf(on, 'strict-fails')).reason).toMatch(/1 of \d+ judgements are missing/);
        const handle = await startRun(on, 'strict', strict);
        await untilWaiting(handle);
        await handle.executeUpdate('retryIteration', { args: [{ set: { 'judging.atMostUnjudged': 0.1 } }] });
        await handle.result();
      });
      const { iterations } = await documentOf(on, 'strict');
      expect(iterations[1]).toMatchObject({ changed: { 'judging.atMostUnjudged': 0.1 }, ledger: { unjudged: 1 } });
    },
  );
});
