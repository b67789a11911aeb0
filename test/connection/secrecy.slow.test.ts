/** Real runs by the real program: what the server's database and the logs hold, and what the person is told. */
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { afterAll, describe, expect, test } from 'vitest';
import { homePaths } from '../../cli/home.ts';
import { recipeById } from '../../recipes/index.ts';
import { createLocalStore } from '../../store/local.ts';
import { cleanUp, start, tempHome, until } from '../cli/fixture/process.ts';
import type { Running } from '../cli/fixture/process.ts';
import { startEndpoint } from './endpoint.ts';

afterAll(cleanUp, 60_000);
const LONG = 300_000;
const MARK = 'nobody-may-read-this-0123456789';
const makeKey = () => randomBytes(32).toString('base64');

const program = (home: string, words: string[], env: Record<string, string> = {}): Running =>
  start('../../../cli/main.ts', words, { STARTRAIL_HOME: home, STARTRAIL_ENGINE: 'scripted', ...env });

/** A run whose input holds the mark, in a file beside the home. */
function inputFile(home: string): string {
  const file = path.join(path.dirname(home), 'run.json');
  const recipe = { ...structuredClone(recipeById('star')), source: MARK };
  const set = { 'stages.batch.with.count': 20, 'base.steps': { first: 4, growth: 1, add: 0 } };
  writeFileSync(file, JSON.stringify({ recipe, task: 'addition', parameters: { digits: 3 }, iterations: 1, set }));
  return file;
}

const databaseOf = (home: string): Buffer =>
  Buffer.concat(['', '-wal'].map((suffix) => readFileSync(homePaths(home).database + suffix)));
const logsOf = (home: string): string =>
  readdirSync(homePaths(home).logs)
    .map((name) => readFileSync(path.join(homePaths(home).logs, name), 'utf8'))
    .join('\n');

/** Prompts and answers of a home's artifacts, of at least seven characters: shorter ones stand in any file by chance. */
async function spoken(home: string): Promise<Set<string>> {
  const store = await createLocalStore(homePaths(home).store);
  const texts = new Set<string>();
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      if (
        ['text', 'id', 'identity'].includes(key) &&
        typeof inner === 'string' &&
        /\d/.test(inner) &&
        inner.length >= 7
      )
        texts.add(inner);
      else walk(inner);
    }
  };
  const objects = path.join(store.location, 'objects');
  for (const name of readdirSync(objects, { recursive: true, withFileTypes: true })) {
    if (!name.isFile()) continue;
    for (const line of readFileSync(path.join(name.parentPath, name.name), 'utf8').split('\n'))
      try {
        walk(JSON.parse(line));
      } catch {
        // no rows: a checkpoint
      }
  }
  return texts;
}

const errorOf = (run: Running) => (JSON.parse(run.out()) as { error: { code: string; message: string } }).error;
/** One sentence: no line end, no stack, nothing of what must stay secret. */
function isSentence(message: string, cure: RegExp, secrets: string[] = []): void {
  expect(message).toMatch(cure);
  expect(message).not.toMatch(/\n|^\s+at /);
  for (const secret of secrets) expect(message).not.toContain(secret);
}

describe('a run under keys', () => {
  test(
    'leaves nothing to read in database or logs; goes on after a rotation; is refused without its key',
    async () => {
      const home = tempHome();
      const [old, fresh] = [makeKey(), makeKey()];
      const file = path.join(path.dirname(home), 'keys');
      const under = (text: string) => {
        writeFileSync(file, text);
        return { STARTRAIL_CODEC_KEYS_FILE: file };
      };
      const run = program(home, ['run', inputFile(home), '--run-id', 'r'], {
        ...under(`may ${old}`),
        STARTRAIL_SCRIPTED_DELAY_MS: '50',
      });
      await until('a first stage', 120_000, () => (run.out() + run.err()).includes('the base, begins'));
      run.child.kill('SIGINT');
      expect(await run.exited, run.err()).toBe(130);

      const without = program(home, ['watch', 'r', '--json'], under(`november ${fresh}`));
      expect(await without.exited, without.err()).toBe(3);
      expect(errorOf(without).code).toBe('CodecKeyMissing');
      isSentence(errorOf(without).message, /key "may", and only november are declared here: add "may" to the file/, [
        old,
        fresh,
      ]);
      const wrong = program(home, ['watch', 'r', '--json'], under(`may ${fresh}`));
      expect(await wrong.exited, wrong.err()).toBe(3);
      expect(errorOf(wrong).code).toBe('CodecKeyWrong');
      isSentence(errorOf(wrong).message, /another key of that name wrote it.*put that key into the file/, [old, fresh]);

      const rotated = program(home, ['watch', 'r', '--json'], under(`november ${fresh}\nmay ${old}`));
      expect(await rotated.exited, rotated.err()).toBe(0);
      expect(JSON.parse(rotated.out())).toMatchObject({ status: 'done', iterations: [{ n: 0 }, { n: 1, drawn: 20 }] });

      const database = databaseOf(home);
      expect(database.includes('may') && database.includes('november'), 'names of both keys').toBe(true);
      const told = logsOf(home) + [run, without, wrong, rotated].map((one) => one.out() + one.err()).join('\n');
      const texts = await spoken(home);
      expect(texts.size).toBeGreaterThan(100);
      // Everything that is searchable (memo, search attributes) lies in this same database.
      for (const text of [MARK, 'stages.batch.with', ...texts]) {
        expect(database.includes(text), `database: ${text}`).toBe(false);
        expect(logsOf(home).includes(text), `logs: ${text}`).toBe(false);
      }
      for (const key of [old, fresh]) {
        expect(database.includes(Buffer.from(key, 'base64'))).toBe(false);
        expect(database.includes(key) || told.includes(key)).toBe(false);
      }
    },
    LONG,
  );

  test(
    'the same without keys can be read, so what is looked for would be found',
    async () => {
      const home = tempHome();
      const run = program(home, ['run', inputFile(home), '--run-id', 'r']);
      await until('a start', 60_000, () => run.out().includes('iteration 0') || run.err().includes('iteration 0'));
      run.child.kill('SIGINT');
      await run.exited;
      const database = databaseOf(home);
      expect(database.includes(MARK) && database.includes('stages.batch.with')).toBe(true);
    },
    LONG,
  );
});

describe('what the person sees', () => {
  test(
    'a wrong profile, an expired key, keys that cannot be read: one sentence, and nothing is started',
    async () => {
      const home = tempHome();
      const SECRET = 'sk-this-must-not-be-told';
      const toml = path.join(path.dirname(home), 'temporal.toml');
      const endpoint = await startEndpoint(grpc.ServerCredentials.createInsecure(), grpc.status.UNAUTHENTICATED);
      writeFileSync(
        toml,
        `[profile.cloud]\naddress = "${endpoint.address}"\napi_key = "${SECRET}"\n[profile.cloud.tls]\ndisabled = true\n`,
      );
      const at = (profile: string) => ({ TEMPORAL_CONFIG_FILE: toml, TEMPORAL_PROFILE: profile });
      const runs: [Running, number, string, RegExp][] = [
        [
          program(home, ['run', 'addition', '--json'], at('clowd')),
          2,
          'ProfileInvalid',
          /add \[profile\.clowd\] there/,
        ],
        [
          program(home, ['run', 'addition', '--json'], at('cloud')),
          3,
          'AccessRefused',
          /refuses the API key .*make a new key/,
        ],
        [
          program(home, ['run', 'addition', '--json'], { STARTRAIL_CODEC_KEYS: 'may short' }),
          2,
          'CodecKeysInvalid',
          /make one with `openssl rand -base64 32`/,
        ],
      ];
      try {
        for (const [run, exit, code, cure] of runs) {
          expect(await run.exited, run.err()).toBe(exit);
          expect(errorOf(run).code).toBe(code);
          isSentence(errorOf(run).message, cure, [SECRET]);
          expect(run.err()).not.toContain(SECRET);
        }
        // The worker says the same, as its one event.
        const worker = (env: Record<string, string>) =>
          start('../../../workers/main.ts', ['--role', 'all', '--home', home], env);
        for (const [one, code] of [
          [worker(at('clowd')), 'ProfileInvalid'],
          [worker(at('cloud')), 'AccessRefused'],
          [worker({ STARTRAIL_ADDRESS: '127.0.0.1:9' }), 'ServerUnreachable'],
        ] as const) {
          expect(await one.exited).toBe(1);
          const event = JSON.parse(one.out()) as { event: string; code: string; message: string };
          expect(event).toMatchObject({ event: 'failed', code });
          isSentence(event.message, /: \w+/, [SECRET]);
        }
      } finally {
        endpoint.close();
      }
      expect(readdirSync(home)).not.toContain('temporal.db');
    },
    LONG,
  );

  test(
    'a store that is taken away under a run is named with the cure; put back, the run ends as if nothing had been',
    async () => {
      const sizes = {
        'stages.batch.with.count': 40,
        'parameters.digits': 1,
        'base.steps': { first: 4, growth: 1, add: 0 },
      };
      const set = Object.entries(sizes).flatMap(([name, value]) => ['--set', `${name}=${JSON.stringify(value)}`]);
      const words = ['run', 'addition', ...set, '--shard-size', '10'];
      const [home, calm] = [tempHome(), tempHome()];
      const undisturbed = program(calm, [...words, '--iterations', '2', '--json']);
      expect(await undisturbed.exited, undisturbed.err()).toBe(0);
      const run = program(home, [...words, '--iterations', '2', '--json', '--run-id', 'gone'], {
        STARTRAIL_SCRIPTED_DELAY_MS: '20',
      });
      await until('work', 120_000, () => run.err().includes('iteration 0 sealed'));
      const { store } = homePaths(home);
      renameSync(store, `${store}.away`);
      await until('the sentence', 60_000, () => run.err().includes('is gone: put the folder back or mount it again'));
      const line =
        run
          .err()
          .split('\n')
          .find((one) => one.includes('is gone')) ?? '';
      isSentence(line, /StoreUnreachable: the store .* is gone: put the folder back/);
      renameSync(`${store}.away`, store);
      expect(await run.exited, run.err()).toBe(0);
      const digests = (one: Running) => {
        const { ledgerDigest, weightsDigest } = JSON.parse(one.out()) as Record<string, string>;
        return { ledgerDigest, weightsDigest };
      };
      expect(digests(run)).toEqual(digests(undisturbed));
    },
    LONG,
  );
});
