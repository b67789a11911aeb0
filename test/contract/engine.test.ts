/**
 * One behaviour suite for every engine. What an engine on a server can't do (it has no token ids, opens no checkpoint and does
 * not train) is left out there by name.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine, LocalCheckpoint, SampleRow, Sampling } from '../../engine/engine.ts';
import { createHostedEngine } from '../../engine/host.ts';
import { createLanedEngine } from '../../engine/lanes.ts';
import { createOpenAiEngine } from '../../engine/openai/engine.ts';
import { createScriptedEngine } from '../../engine/scripted.ts';
import { createTfjsEngine } from '../../engine/tfjs/engine.ts';
import { TrainSchedule } from '../../schemas/checkpoint.ts';
import { EngineSettings } from '../../schemas/engine-settings.ts';
import type { OpenAiSettings } from '../../schemas/engine-settings.ts';
import { openAiServer } from '../support/openai-server.ts';
import type { OpenAiServer } from '../support/openai-server.ts';
import { additionPrompt, modelFolder, randomModel, seedOf } from '../engine/models.ts';

const greedy: Sampling = { temperature: 0, topP: 1 };
const warm: Sampling = { temperature: 1, topP: 1 };
const rowsOf = (count: number, from = 0, maxNewTokens = 16): SampleRow[] =>
  Array.from({ length: count }, (_, n) => ({ prompt: additionPrompt(n), seed: seedOf(from + n), maxNewTokens }));

const lane = () => createHostedEngine({ entry: 'tfjs', threads: 1, hungAfterMs: 60_000 });

/** The server is as deterministic as a test needs it; a real one is not, and the engine does not say it is. */
let server: OpenAiServer;
let remoteFolder: string;
beforeAll(async () => {
  server = await openAiServer();
  remoteFolder = mkdtempSync(path.join(tmpdir(), 'startrail-remote-'));
});
afterAll(async () => {
  await server.close();
  rmSync(remoteFolder, { recursive: true });
});
const remote = (chat: boolean) => () => {
  const settings = { kind: 'openai', baseUrl: server.url, concurrency: 32, chat };
  return createOpenAiEngine({
    ...{ name: 'remote', settings: EngineSettings.parse(settings) as OpenAiSettings },
    folder: path.join(remoteFolder, chat ? 'chat' : 'completions'),
  });
};

const engines: [name: string, create: () => Engine, remote?: boolean][] = [
  ['tfjs, in process', createTfjsEngine],
  ['tfjs, hosted', () => createHostedEngine({ entry: 'tfjs', threads: 2, hungAfterMs: 60_000 })],
  ['tfjs, two lanes', () => createLanedEngine({ sampling: [lane(), lane()], training: lane() })],
  ['openai, completions', remote(false), true],
  ['openai, chat', remote(true), true],
  ['scripted, in process', createScriptedEngine],
  [
    'scripted, hosted',
    () =>
      createHostedEngine({
        entry: 'scripted',
        threads: 1,
        hungAfterMs: 60_000,
        env: { STARTRAIL_SCRIPTED_DELAY_MS: '1' },
      }),
  ],
];

describe.each(engines)('engine: %s', (_, create, isRemote = false) => {
  const files = modelFolder();
  let engine: Engine;
  let model: LocalCheckpoint;
  const holds = (title: string, test: () => Promise<void>) => it(title, test, 60_000);
  const holdsHere = (title: string, test: () => Promise<void>) => it.skipIf(isRemote)(title, test, 60_000);

  beforeAll(async () => {
    engine = create();
    model = await files.save(randomModel({}, 21));
  });
  afterAll(async () => {
    await engine.close();
    files.clean();
  });

  holds('describes itself, always the same', async () => {
    const description = await engine.describe();
    expect(description.fingerprint).not.toBe('');
    expect(description.deterministic).toBe(!isRemote);
    expect(await engine.describe()).toEqual(description);
  });

  holds('gives the same completions twice', async () => {
    const request = { model, rows: rowsOf(9), sampling: warm };
    expect(await engine.sample(request)).toEqual(await engine.sample(request));
  });

  holds('keeps the order of the rows', async () => {
    const rows = rowsOf(30).map((row, n) => ({ ...row, maxNewTokens: 1 + (n % 7) }));
    const together = await engine.sample({ model, rows, sampling: greedy });
    const reversed = await engine.sample({ model, rows: rows.toReversed(), sampling: greedy });
    expect(together).toEqual(reversed.toReversed());
    for (const [n, { tokenIds }] of together.entries())
      expect(tokenIds.length).toBeLessThanOrEqual(rows[n]!.maxNewTokens);
    expect(new Set(together.map(({ text }) => text)).size).toBeGreaterThan(5);
  });

  holds("a row's tokens depend on that row alone", async () => {
    const rows = rowsOf(12);
    const together = await engine.sample({ model, rows, sampling: warm });
    for (const n of [0, 5, 11]) {
      expect(await engine.sample({ model, rows: [rows[n]!], sampling: warm })).toEqual([together[n]]);
    }
  });

  holds("behind a shared prefix a row's tokens depend on that row and the prefix alone", async () => {
    const rows = rowsOf(60);
    const prefix = '1+2=3\n30+4=34\n';
    const together = await engine.sample({ model, rows, sampling: warm, prefix });
    for (const n of [0, 5, 59])
      expect(await engine.sample({ model, rows: [rows[n]!], sampling: warm, prefix })).toEqual([together[n]]);
    expect(await engine.sample({ model, rows: rows.toReversed(), sampling: warm, prefix })).toEqual(
      together.toReversed(),
    );
    const long = await engine.sample({ model, rows: rowsOf(1), sampling: warm, prefix: prefix.repeat(500) });
    expect(long[0]!.finish).toBe('overflow');
  });

  holds('rows get the same in a large request, cut and dealt as it may be', async () => {
    const rows = rowsOf(700, 0, 8);
    const together = await engine.sample({ model, rows, sampling: warm });
    const few = [0, 255, 256, 400, 699];
    const alone = await engine.sample({ model, rows: few.map((n) => rows[n]!), sampling: warm });
    expect(alone).toEqual(few.map((n) => together[n]));
  });

  holds('seeds matter at temperature 1 and not when greedy', async () => {
    const sample = (from: number, sampling: Sampling) => engine.sample({ model, rows: rowsOf(9, from), sampling });
    expect(await sample(0, greedy)).toEqual(await sample(500, greedy));
    expect(await sample(0, warm)).not.toEqual(await sample(500, warm));
  });

  holdsHere('an end token inside tokenIds never shows in the text, and `finish` says why it ended', async () => {
    const completions = await engine.sample({ model, rows: rowsOf(60, 0, 40), sampling: warm });
    for (const { tokenIds, text, finish } of completions) {
      expect(text).not.toContain('<end>');
      if (finish === 'length') expect(tokenIds).toHaveLength(40);
      expect(tokenIds.at(-1) === 1).toBe(finish === 'stop');
      expect(tokenIds.slice(0, -1)).not.toContain(1);
    }
    expect(completions.map(({ finish }) => finish)).toContain('stop');
  });

  holds('what does not fit the context overflows and leaves its neighbours alone', async () => {
    const rows = rowsOf(3);
    const whole = await engine.sample({ model, rows, sampling: greedy });
    rows[1] = { ...rows[1]!, maxNewTokens: 128 };
    const cut = await engine.sample({ model, rows, sampling: greedy });
    expect(cut[1]).toEqual({ tokenIds: [], text: '', finish: 'overflow' });
    expect([cut[0], cut[2]]).toEqual([whole[0], whole[2]]);
  });

  holds('no rows give no completions', async () => {
    expect(await engine.sample({ model, rows: [], sampling: greedy })).toEqual([]);
  });

  holdsHere('a missing checkpoint is CheckpointInvalid', async () => {
    const missing = { path: `${files.folder}/none.safetensors`, digest: 'sha256:none' };
    const failing = engine.sample({ model: missing, rows: rowsOf(1), sampling: greedy });
    await expect(failing).rejects.toMatchObject({ name: 'EngineError', code: 'CheckpointInvalid' });
    await expect(engine.sample({ model, rows: rowsOf(1), sampling: greedy })).resolves.toHaveLength(1);
  });

  holdsHere('a character outside the vocabulary is TextNotInVocabulary', async () => {
    const rows = [{ ...rowsOf(1)[0]!, prompt: '1+µ=' }];
    await expect(engine.sample({ model, rows, sampling: greedy })).rejects.toMatchObject({
      code: 'TextNotInVocabulary',
      message: expect.stringContaining('µ') as string,
    });
  });

  holds('an abort rejects soon with its reason, and the next request runs', async () => {
    const reason = new Error('enough');
    const controller = new AbortController();
    const running = engine.sample({ model, rows: rowsOf(3000, 0, 100), sampling: warm }, { signal: controller.signal });
    const waiting = engine.sample({ model, rows: rowsOf(2), sampling: greedy });
    setTimeout(() => controller.abort(reason), 50);
    const started = performance.now();
    await expect(running).rejects.toBe(reason);
    expect(performance.now() - started).toBeLessThan(3000);
    expect(await waiting).toHaveLength(2);
    await expect(
      engine.sample({ model, rows: rowsOf(1), sampling: greedy }, { signal: AbortSignal.abort(reason) }),
    ).rejects.toBe(reason);
  });

  holdsHere('trains, the same weights twice, and samples from what it trained', async () => {
    const dataPath = `${files.folder}/data.jsonl`;
    const examples = Array.from({ length: 32 }, (_, n) => ({ prompt: additionPrompt(n), completion: String(n) }));
    writeFileSync(dataPath, examples.map((example) => `${JSON.stringify(example)}\n`).join(''));
    const train = (name: string) =>
      engine.train({
        start: { kind: 'checkpoint', checkpoint: model },
        dataPath,
        schedule: TrainSchedule.parse({
          steps: 4,
          learningRate: 1e-3,
          warmupSteps: 1,
          decay: 'linear',
          batchSize: 8,
          clipNorm: 1,
        }),
        seed: seedOf(7),
        outputPath: `${files.folder}/${name}.safetensors`,
      });
    const [first, second] = [await train('first'), await train('second')];
    expect(first.steps).toBe(4);
    expect(first.learningRates).toHaveLength(4);
    expect(second.weightsDigest).toBe(first.weightsDigest);
    expect(readFileSync(`${files.folder}/second.safetensors`)).toEqual(
      readFileSync(`${files.folder}/first.safetensors`),
    );
    const trained = { path: `${files.folder}/first.safetensors`, digest: first.weightsDigest };
    expect(trained.digest).not.toBe(model.digest);
    expect(await engine.sample({ model: trained, rows: rowsOf(2), sampling: greedy })).toHaveLength(2);
  });

  holdsHere('a fresh model asked for with its fields in another order has the same bytes', async () => {
    const dataPath = `${files.folder}/order.jsonl`;
    writeFileSync(dataPath, `${JSON.stringify({ prompt: additionPrompt(1), completion: '1' })}\n`);
    const { config, tokenizer } = randomModel({}, 21);
    const schedule = { steps: 1, learningRate: 1e-3, warmupSteps: 0, decay: 'linear', batchSize: 1, clipNorm: 1 };
    const backwards = <T extends object>(fields: T) => Object.fromEntries(Object.entries(fields).reverse()) as T;
    const train = async (order: <T extends object>(fields: T) => T) => {
      const outputPath = `${files.folder}/order.safetensors`;
      await engine.train({
        start: { kind: 'fresh', config: order(config), tokenizer: order(tokenizer) },
        dataPath,
        schedule: order(TrainSchedule.parse(schedule)),
        seed: seedOf(7),
        outputPath,
      });
      return readFileSync(outputPath);
    };
    expect(await train(backwards)).toEqual(await train((fields) => fields));
  });

  holds('reports progress up to the last row', async () => {
    const seen: number[] = [];
    await engine.sample(
      { model, rows: rowsOf(40), sampling: greedy },
      { onProgress: ({ done, total }) => (expect(total).toBe(40), seen.push(done)) },
    );
    expect(seen.at(-1)).toBe(40);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  });
});
