import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ArtifactRef } from '../../schemas/artifact.ts';
import { createLocalStore } from '../../store/local.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'store-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

interface Writer {
  child: ChildProcess;
  lines: string[];
  ready: Promise<void>;
  ended: Promise<void>;
}

function write(mode: string): Writer {
  const script = path.join(import.meta.dirname, 'put-child.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', script, folder, mode], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const ready = new Promise<void>((resolve) =>
    reader.on('line', (line) => (line === 'ready' ? resolve() : lines.push(line))),
  );
  return { child, lines, ended, ready };
}

/** Digests of all visible artifacts; each is read, hence verified. */
async function verifyAll(): Promise<Set<string>> {
  const store = await createLocalStore(folder);
  const digests = new Set<string>();
  for (const start of await readdir(path.join(folder, 'objects'))) {
    for (const rest of await readdir(path.join(folder, 'objects', start))) {
      await store.read(`sha256:${start}${rest}`);
      digests.add(`sha256:${start}${rest}`);
    }
  }
  return digests;
}

describe('several processes on one store', () => {
  it.each(['same', 'different'])(
    'racing on puts of %s content all get sound artifacts; one creates each name',
    async (what) => {
      const writers = ['a', 'b', 'c'].map((name) => write(what === 'same' ? 'same' : name));
      await Promise.all(writers.map((writer) => writer.ended));
      const lines = writers.map((writer) => writer.lines.map((line) => line.split(' ')));
      expect((await verifyAll()).size).toBe(what === 'same' ? 150 : 450);
      for (let i = 0; i < 150; i++) {
        const round = lines.map((one) => one[i]!);
        expect(new Set(round.map(([digest]) => digest)).size).toBe(what === 'same' ? 1 : 3);
        expect(round.filter(([, created]) => created === 'true')).toHaveLength(1);
      }
      expect(await readdir(path.join(folder, 'tmp'))).toEqual([]);
      expect(await readdir(path.join(folder, 'damaged'))).toEqual([]);
    },
    60_000,
  );

  it('killed in the middle of writing, 20 times: all that is visible is whole, all that was promised is there', async () => {
    for (let round = 0; round < 10; round++) {
      const writers = [write('loop'), write('loop')];
      await Promise.all(writers.map((writer) => writer.ready));
      for (const { child, ended } of writers) {
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 60));
        child.kill('SIGKILL');
        await ended;
      }
      const visible = await verifyAll();
      const store = await createLocalStore(folder);
      const promised = writers.flatMap((writer) => writer.lines);
      for (const line of promised) {
        const [name, digest] = line.split(' ') as [string, string];
        expect(visible).toContain(digest);
        expect(await store.getName(`memo/${name}`)).toMatchObject({ digest });
      }
      // A document names only what is there: the artifact came first.
      const documents = [...(await store.listNames('memo/')), 'runs/pointer'];
      for (const name of documents) {
        const ref = (await store.getName(name)) as ArtifactRef | undefined;
        if (ref !== undefined) expect(visible).toContain(ref.digest);
      }
      expect(await readdir(path.join(folder, 'damaged'))).toEqual([]);
    }
  }, 120_000);
});
