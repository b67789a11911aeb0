/**
 * One input file, three settings (docs/howto/engines.md): on tfjs alone; sampled by a llama.cpp server and trained by the
 * transformers trainer; sampled by tfjs and trained by that trainer. By the command line, with a real pretrained model.
 *
 * Skips where there is no llama-cpp-python: STARTRAIL_BUILD_LLAMA_CPP=1 compiles it once (scripts/setup/llama-cpp.mjs).
 */
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { python } from '../../bench/python.ts';
import { CanaryRecord, hexOf } from '../../engine/openai/canary-records.ts';
import { RunDocument } from '../../schemas/run.ts';
import { Judged, LedgerRow } from '../../schemas/verdict.ts';
import { sentence } from '../../scripts/setup/failure.mjs';
import { provideLlamaCpp } from '../../scripts/setup/llama-cpp.mjs';
import { provideSmollm2 } from '../../scripts/setup/smollm2.mjs';
import { createLocalStore } from '../../store/local.ts';
import { asSlice, readRows } from '../../store/rows.ts';
import type { Store } from '../../store/store.ts';
import { cleanUp, left, start, tempHome } from '../cli/fixture/process.ts';
import { freePort } from '../support/free-port.ts';

const whyNot = (error: unknown) => ({ reason: sentence(error) });
const gguf = await provideSmollm2().catch(whyNot);
const server = typeof gguf === 'string' ? await provideLlamaCpp().catch(whyNot) : gguf;
const trainer =
  typeof server === 'string'
    ? await python((line) => console.log(line), ['safetensors']).catch((error: Error) => ({ reason: error.message }))
    : server;
if (typeof trainer !== 'string') console.log(`skipped: ${trainer.reason}`);
const program = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));

const COUNT = 6;
const HELD_OUT = 2;
const SEEDS = 4;
/** Everything a run is asked for, the engine apart. */
const INPUT = {
  ...{ recipe: 'star', task: 'three-sum', model: 'smollm2', seed: 3, iterations: 1, shardSize: 12, onFailure: 'fail' },
  // Few problems give few right answers or none.
  parameters: { seeds: SEEDS },
  set: {
    'stages.batch.with.count': COUNT,
    'heldOut.dev': HELD_OUT,
    'heldOut.test': HELD_OUT,
    'stages.next.with.steps': { first: 4, growth: 1, add: 0 },
    'stages.next.with.learningRate': 0.002,
    'stages.next.with.warmupSteps': 0,
    'stages.next.with.batchSize': 4,
    'stages.next.with.adapter': { rank: 4, alpha: 8 },
  },
};

describe.skipIf(typeof trainer !== 'string')('one recipe, three engines', () => {
  const home = tempHome();
  const input = path.join(path.dirname(home), 'three-sum.json');
  const models = path.join(path.dirname(home), 'models');
  let env: Record<string, string>;
  let store: Store;
  const documents = new Map<string, RunDocument>();

  beforeAll(async () => {
    mkdirSync(models);
    symlinkSync(gguf as string, path.join(models, 'smollm2.gguf'));
    writeFileSync(input, JSON.stringify(INPUT));
    const port = await freePort();
    const options = ['--port', String(port), '--n_ctx', '512'];
    const serve = [server as string, program('scripts/serve/llama-cpp.py'), ...options];
    const engines = {
      llama: {
        ...{ kind: 'openai', baseUrl: `http://127.0.0.1:${port}/v1`, concurrency: 1 },
        body: { repeat_penalty: 1, top_k: 0, min_p: 0 },
        deploy: { kind: 'command', format: 'gguf', command: serve },
      },
      trainer: { kind: 'command', command: [trainer as string, program('trainers/transformers/train.py')] },
      cluster: { kind: 'split', sample: 'llama', train: 'trainer' },
      mixed: { kind: 'split', sample: 'tfjs', train: 'trainer' },
    };
    env = { STARTRAIL_HOME: home, STARTRAIL_MODELS: models, STARTRAIL_ENGINES: JSON.stringify(engines) };
    store = await createLocalStore(path.join(home, 'store'));
  });
  afterAll(cleanUp, 60_000);

  it.each(['tfjs', 'cluster', 'mixed'])('%s runs it to the end', async (engine) => {
    const began = performance.now();
    const words = ['run', input, '--engine', engine, '--run-id', engine, '--json'];
    const { out, err, exited } = start('../../../cli/main.ts', words, env);
    expect(await exited, err()).toBe(0);
    expect(JSON.parse(out())).toMatchObject({ runId: engine, status: 'done' });
    expect(left(home)).toEqual([]);
    const document = RunDocument.parse(await store.getName(`runs/${engine}`));
    documents.set(engine, document);

    const [base, first, ...more] = document.iterations;
    expect(more).toEqual([]);
    for (const { dev, accuracy } of [base!, first!]) {
      expect([dev.n, accuracy.n]).toEqual([HELD_OUT, HELD_OUT]);
      expect(dev.unjudged + accuracy.unjudged).toBe(0);
    }
    const { acceptedFree, acceptedHinted, rejected, unjudged } = first!.ledger;
    expect(acceptedFree + acceptedHinted + rejected).toBe(COUNT);
    expect(unjudged).toBe(0);
    const rows = await readRows(store, asSlice({ shards: [first!.ledgerRef], rows: COUNT }), LedgerRow);
    expect(new Set(rows.map(({ problem }) => problem)).size).toBe(COUNT);
    // Taught by what it said itself and the seeds.
    expect(first).toMatchObject({ steps: 4, carried: false, trainedOn: acceptedFree + acceptedHinted + SEEDS });
    expect(await store.has(first!.checkpoint)).toBe(true);
    expect(first!.model.base?.weightsDigest).toBe(base!.weightsDigest);
    console.log(
      engine,
      JSON.stringify({
        seconds: Math.round((performance.now() - began) / 1000),
        stages: first!.seconds,
        base: base!.seconds,
      }),
      JSON.stringify({
        ledger: first!.ledger,
        trainedOn: first!.trainedOn,
        dev: [base!.dev.overall, first!.dev.overall],
      }),
    );
  });

  it('was the same recipe with the same options, from the same base, asked the same problems', async () => {
    const [tfjs, ...others] = [...documents.values()];
    const drawn = async ({ iterations }: RunDocument) =>
      (await readRows(store, asSlice({ shards: [iterations[1]!.ledgerRef], rows: COUNT }), LedgerRow))
        .map(({ problem }) => problem)
        .sort();
    expect(others).toHaveLength(2);
    for (const one of others) {
      expect(one.resolved!.recipe).toEqual(tfjs!.resolved!.recipe);
      expect(one.resolved!.prepare).toEqual(tfjs!.resolved!.prepare);
      expect({ ...one.input, engine: 'tfjs' }).toEqual(tfjs!.input);
      expect(one.iterations[0]!.weightsDigest).toBe(tfjs!.iterations[0]!.weightsDigest);
      expect(await drawn(one)).toEqual(await drawn(tfjs!));
    }
    const fingerprints = [...documents.values()].map(({ fingerprint }) => fingerprint);
    expect(fingerprints[0]).toMatch(/^tfjs/);
    expect(fingerprints[1]).toMatch(/^samples: openai: deployed by command; .*trains: command: transformers/);
    expect(fingerprints[2]).toMatch(/^samples: tfjs.*trains: command: transformers/);
  });

  it('sampled on the server what tfjs sampled, but for a tie here and there', async () => {
    const texts = async ({ iterations }: RunDocument) => {
      const judged = await Promise.all(
        iterations[0]!.scores.map(({ judged: ref }) =>
          readRows(store, asSlice({ shards: [ref], rows: ref.rows! }), Judged),
        ),
      );
      return new Map(judged.flat().map(({ rationale: { problem, text } }) => [problem.id, text]));
    };
    const [tfjs, cluster] = [await texts(documents.get('tfjs')!), await texts(documents.get('cluster')!)];
    const same = [...tfjs].filter(([id, text]) => cluster.get(id) === text).length;
    console.log(`${same} of ${tfjs.size} texts of the base are the same on both`);
    expect(tfjs.size).toBe(2 * HELD_OUT);
    expect(same).toBeGreaterThanOrEqual(0.7 * tfjs.size);
  });

  it('the server was seen to serve the base and what the trainer made of it', () => {
    const folder = path.join(home, 'engines', 'llama', 'canaries');
    const wanted = [
      documents.get('tfjs')!.iterations[0]!.checkpoint,
      documents.get('cluster')!.iterations[1]!.checkpoint,
    ];
    expect(readdirSync(folder).sort()).toEqual(wanted.map((digest) => `${hexOf(digest)}.json`).sort());
    for (const digest of wanted) {
      const record = CanaryRecord.parse(JSON.parse(readFileSync(path.join(folder, `${hexOf(digest)}.json`), 'utf8')));
      expect(record.tokens).toHaveLength(16);
    }
  });
});
