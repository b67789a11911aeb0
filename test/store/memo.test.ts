import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StageInput, StageOutput } from '../../schemas/stage.ts';
import { createLocalStore } from '../../store/local.ts';
import { memoKeyOf } from '../../store/memo-key.ts';
import { digestsOf, memoised, producerOf } from '../../store/memo.ts';
import type { Store } from '../../store/store.ts';
import { digest, model, outputOf, ref, verifyInput } from './stage-inputs.ts';

let folder: string;
let store: Store;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'store-'));
  store = await createLocalStore(folder);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

type Output = StageOutput<'verify'>;
type Previous = Output | undefined;

/** Work that writes these texts, counts its calls and keeps what it was handed. */
function worker(right = 'right\n', rest = 'rest\n', partial = false) {
  const handed: Previous[] = [];
  return {
    handed,
    work: async (previous?: Output) => {
      handed.push(previous);
      return outputOf(await store.put(right, 1), await store.put(rest, 1), partial);
    },
  };
}
const input = (attempt = 1, runId = 'night-1', change: Partial<StageInput<'verify'>> = {}) => {
  const base = verifyInput({ attempt, ...change });
  return { ...base, run: { ...base.run, runId } };
};
const fileOf = (of: string) => path.join(folder, 'objects', of.slice(7, 9), of.slice(9));
const bytes = (output: Output) => JSON.stringify({ ...output, reused: undefined });
async function damage(of: string): Promise<void> {
  await chmod(fileOf(of), 0o644);
  await writeFile(fileOf(of), 'damaged');
}

describe('a complete entry', { timeout: 30_000 }, () => {
  it('answers every later delivery with identical output, without work: other run, attempt, shard, stage (I4)', async () => {
    const first = worker();
    const output = await memoised(store, input(), first.work);
    expect(output.reused).toBe(false);
    const later = worker('other');
    for (const again of [
      input(),
      input(2),
      input(7, 'fork'),
      input(1, 'x', { stage: 'other', shard: { index: 0, count: 9 } }),
      input(1, 'x', { iteration: 9 }),
    ]) {
      const reused = await memoised(store, again, later.work);
      expect(reused.reused).toBe(true);
      expect(bytes(reused)).toBe(bytes(output));
    }
    expect(later.handed).toEqual([]);
    expect(await store.getName(`memo/${memoKeyOf(input())}`)).toMatchObject({
      format: 1,
      key: memoKeyOf(input()),
      input: input(),
      attempt: 1,
    });
  });

  it('is not used for another input', async () => {
    await memoised(store, input(), worker().work);
    const other = worker('other');
    expect(
      (await memoised(store, input(1, 'night-1', { options: { timeoutMs: 1, tries: 1 } }), other.work)).reused,
    ).toBe(false);
    expect(other.handed).toEqual([undefined]);
  });

  it('is not entered when the work fails', async () => {
    await expect(memoised(store, input(), () => Promise.reject(new Error('engine died')))).rejects.toThrow(
      'engine died',
    );
    expect(await store.listNames('memo/')).toEqual([]);
    expect((await memoised(store, input(), worker().work)).reused).toBe(false);
  });

  it('that is torn on the disk counts as absent', async () => {
    const output = await memoised(store, input(), worker().work);
    const file = path.join(folder, 'names', 'memo', `${memoKeyOf(input())}.json`);
    await writeFile(file, (await readFile(file)).subarray(0, 100));
    const again = await memoised(store, input(), worker().work);
    expect(again.reused).toBe(false);
    expect(bytes(again)).toBe(bytes(output));
    expect((await memoised(store, input(), worker('x').work)).reused).toBe(true);
  });

  it('of a format from elsewhere is replaced', async () => {
    await store.createName(`memo/${memoKeyOf(input())}`, { format: 2 });
    expect((await memoised(store, input(), worker().work)).reused).toBe(false);
    expect((await memoised(store, input(), worker('x').work)).reused).toBe(true);
  });

  it('whose artifacts are gone is worked for again, and needs the same digests', async () => {
    const output = await memoised(store, input(), worker().work);
    await rm(fileOf(output.outputs.correct.digest));
    const again = worker();
    const repaired = await memoised(store, input(), again.work);
    expect(repaired.reused).toBe(false);
    expect(bytes(repaired)).toBe(bytes(output));
    expect((await store.read(output.outputs.correct.digest)).toString()).toBe('right\n');

    await rm(fileOf(output.outputs.correct.digest));
    const error: unknown = await memoised(store, input(), worker('different\n').work).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: 'OutputDiffers' });
    expect((error as Error).message).toContain(output.outputs.correct.digest);
    expect((error as Error).message).toContain(digest('different\n'));
    // The entry stays, so the right bytes are still what is asked for.
    expect(bytes(await memoised(store, input(), worker().work))).toBe(bytes(output));
  });
});

describe('repair', { timeout: 30_000 }, () => {
  it('finds the producer of a damaged artifact, does its work again and gets the same digest', async () => {
    const output = await memoised(store, input(), worker().work);
    const lost = output.outputs.correct.digest;
    await damage(lost);
    await expect(store.read(lost)).rejects.toMatchObject({ code: 'ArtifactDamaged', digest: lost });
    const producer = await producerOf(store, lost);
    expect(producer).toEqual(input());
    const again = worker();
    const redone = await memoised(store, { ...(producer as StageInput<'verify'>), redo: { digest: lost } }, again.work);
    expect(again.handed).toHaveLength(1);
    expect(redone.reused).toBe(false);
    expect(bytes(redone)).toBe(bytes(output));
    expect((await store.read(lost)).toString()).toBe('right\n');
    expect((await memoised(store, input(), worker('x').work)).reused).toBe(true);
  });

  it('works again on redo although everything seems to be there', async () => {
    const { outputs } = await memoised(store, input(), worker().work);
    const again = worker();
    await memoised(store, { ...input(), redo: { digest: outputs.correct.digest } }, again.work);
    expect(again.handed).toHaveLength(1);
  });

  it('says OutputDiffers on redo with other bytes; the entry stays', async () => {
    const output = await memoised(store, input(), worker().work);
    const redo = { ...input(), redo: { digest: output.outputs.correct.digest } };
    await expect(memoised(store, redo, worker('other').work)).rejects.toMatchObject({ code: 'OutputDiffers' });
    expect(bytes(await memoised(store, input(), worker('x').work))).toBe(bytes(output));
  });

  it('needs the digest that was asked for even where the entry was lost', async () => {
    const redo = { ...input(), redo: { digest: digest('right\n') } };
    await expect(memoised(store, redo, worker('other').work)).rejects.toMatchObject({ code: 'OutputDiffers' });
    expect(await store.listNames('memo/')).toEqual([]);
    expect((await memoised(store, redo, worker().work)).reused).toBe(false);
    expect((await memoised(store, input(), worker('x').work)).reused).toBe(true);
  });

  it('that finds the verifier out of order is not taken for a difference: it is retried', async () => {
    const output = await memoised(store, input(), worker().work);
    const redo = { ...input(), redo: { digest: output.outputs.correct.digest } };
    const error: unknown = await memoised(store, redo, worker('', 'x', true).work).catch((thrown: unknown) => thrown);
    expect((error as Error).message).toContain('retry later');
    expect(error).not.toHaveProperty('code');
  });

  it('knows no producer of what no stage made', async () => {
    expect(await producerOf(store, (await store.put('from outside')).digest)).toBeUndefined();
  });
});

describe('a partial entry', { timeout: 30_000 }, () => {
  it('answers re-deliveries of its own attempt, identically, even when another run has completed the shard since', async () => {
    const output = await memoised(store, input(1), worker('half\n', 'rest\n', true).work);
    expect(output).toMatchObject({ partial: true, reused: false });
    const again = worker('x');
    expect(bytes(await memoised(store, input(1), again.work))).toBe(bytes(output));
    await memoised(store, input(1, 'fork'), worker().work);
    const redelivered = await memoised(store, input(1), again.work);
    expect(redelivered.reused).toBe(true);
    expect(bytes(redelivered)).toBe(bytes(output));
    expect(again.handed).toEqual([]);
  });

  it('is handed on to the next attempt; what that completes holds for all later ones', async () => {
    const first = await memoised(store, input(1), worker('one\n', 'rest\n', true).work);
    const second = worker('two\n', 'rest\n', true);
    await memoised(store, input(2), second.work);
    expect(second.handed[0]).toEqual({ ...first, reused: true });
    const third = worker('three\n');
    const complete = await memoised(store, input(3), third.work);
    expect(third.handed.map((previous) => previous?.outputs.correct.digest)).toEqual([digest('two\n')]);
    expect(complete).toMatchObject({ partial: false, reused: false });
    expect(bytes(await memoised(store, input(4), worker('x').work))).toBe(bytes(complete));
    expect(bytes(await memoised(store, input(1, 'fork'), worker('x').work))).toBe(bytes(complete));
    expect(bytes(await memoised(store, input(1), worker('x').work))).toBe(bytes(first));
  });

  it.each([
    ['a fork', input(1, 'fork')],
    ['a replay', input(1, 'night-1/replay-1-1')],
    ['a later iteration with the same rows', input(1, 'night-1', { iteration: 4 })],
  ])('is judged on by %s, though its attempt has the same number', async (_, other) => {
    await memoised(store, input(1), worker('half\n', 'rest\n', true).work);
    const next = worker();
    expect(await memoised(store, other, next.work)).toMatchObject({ partial: false, reused: false });
    expect(next.handed.map((previous) => previous?.outputs.correct.digest)).toEqual([digest('half\n')]);
  });

  it('of a later attempt is not handed to an earlier one', async () => {
    await memoised(store, input(2), worker('two\n', 'rest\n', true).work);
    const late = worker('one\n', 'rest\n', true);
    await memoised(store, input(1), late.work);
    expect(late.handed).toEqual([undefined]);
  });

  it('whose artifacts are gone or damaged is left, and the work starts from nothing', async () => {
    const first = await memoised(store, input(1), worker('half\n', 'rest\n', true).work);
    await damage(first.outputs.correct.digest);
    const second = worker('half\n', 'rest\n', true);
    await memoised(store, input(2), async (previous) => {
      const output = await second.work(previous);
      if (previous !== undefined) await store.read(ref('').digest); // some other artifact: not caught
      return output;
    }).catch((error: unknown) => expect(error).toMatchObject({ digest: ref('').digest }));
    await damage(first.outputs.correct.digest);
    const third = worker('half\n', 'rest\n', true);
    await memoised(store, input(3), async (previous) => {
      if (previous !== undefined) await store.read(previous.outputs.correct.digest);
      return third.work(previous);
    });
    expect(third.handed).toEqual([undefined]);

    await rm(fileOf(first.outputs.correct.digest));
    const fourth = worker('four\n');
    await memoised(store, input(4), fourth.work);
    expect(fourth.handed).toEqual([undefined]);
  });

  it('is made again by redo from the same beginning', async () => {
    await memoised(store, input(1), worker('one\n', 'rest\n', true).work);
    const second = await memoised(store, input(2), worker('two\n', 'rest\n', true).work);
    const lost = second.outputs.correct.digest;
    await damage(lost);
    await store.read(lost).catch(() => undefined);
    const again = worker('two\n', 'rest\n', true);
    const redone = await memoised(store, { ...input(2), redo: { digest: lost } }, again.work);
    expect(again.handed.map((previous) => previous?.outputs.correct.digest)).toEqual([digest('one\n')]);
    expect(bytes(redone)).toBe(bytes(second));
  });

  it('that is gone from the disk may be replaced by a better one', async () => {
    const first = await memoised(store, input(1), worker('half\n', 'rest\n', true).work);
    await rm(fileOf(first.outputs.correct.digest));
    const again = await memoised(store, input(1), worker('more\n', 'rest\n', true).work);
    expect(again).toMatchObject({ partial: true, reused: false });
    expect(bytes(await memoised(store, input(1), worker('x').work))).toBe(bytes(again));
  });
});

describe('several workers on one key', { timeout: 30_000 }, () => {
  it.each([false, true])('all return what the first one entered (partial: %s)', async (partial) => {
    let waiting = 0;
    let go = () => {};
    const all = new Promise<void>((resolve) => (go = resolve));
    const outputs = await Promise.all(
      Array.from({ length: 8 }, async (_, i) =>
        memoised(await createLocalStore(folder), input(), async () => {
          if (++waiting === 8) go();
          await all; // each has looked and found nothing
          return { ...(await worker('right\n', 'rest\n', partial).work()), seconds: i };
        }),
      ),
    );
    expect(new Set(outputs.map(bytes)).size).toBe(1);
    expect(outputs.filter((output) => !output.reused)).toHaveLength(1);
    expect(bytes(await memoised(store, input(), worker('x').work))).toBe(bytes(outputs[0]!));
  });
});

describe('the digests of an output', { timeout: 30_000 }, () => {
  it('are found in refs, models and scores alike', () => {
    expect(digestsOf({ rationales: ref('a') })).toEqual([digest('a')]);
    expect(digestsOf({ model: model('m') })).toEqual([digest('m')]);
    expect(digestsOf({ score: { split: 'dev', judged: ref('j'), byStratum: { digest: { correct: 1 } } } })).toEqual([
      digest('j'),
    ]);
    expect(digestsOf({ correct: ref('a'), incorrect: ref('a'), rows: { shards: [ref('b')], rows: 1 } })).toEqual(
      [digest('a'), digest('b')].sort(),
    );
  });
});
