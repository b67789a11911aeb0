/**
 * An engine that would not say the same thing twice: what it said is stored before it is used and never asked for again, however
 * often the shard is begun; a row it could not answer is unjudged, and only that row is asked for again.
 */
import { appendFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Completion, Engine, SampleRow } from '../../engine/engine.ts';
import { EngineError } from '../../engine/engine.ts';
import { LedgerRow } from '../../schemas/verdict.ts';
import { readRows } from '../../store/rows.ts';
import { fileServer } from '../support/file-server.ts';
import { documentOf, scriptedAdder, smallRun, startRun, untilWaiting } from '../support/temporal.ts';

const server = fileServer();

/** Answers row by row, text alone; `trouble` is asked before the n-th row of all. */
function unlikeItself(
  trouble: (n: number, row: SampleRow) => 'die' | 'fail' | undefined,
): Engine & { sampled: string[] } {
  const inner = scriptedAdder();
  const sampled: string[] = [];
  return {
    ...inner,
    sampled,
    describe: async () => ({ ...(await inner.describe()), deterministic: false }),
    async sample(request, control) {
      const completions: Completion[] = [];
      for (const [at, row] of request.rows.entries()) {
        const n = sampled.push(row.seed);
        const what = trouble(n, row);
        if (what === 'die') {
          sampled.pop();
          throw new EngineError('EngineUnavailable', `as told at row ${n}`);
        }
        const [{ text, tokenIds, finish } = {} as Completion] = await inner.sample({ ...request, rows: [row] });
        const completion: Completion =
          what === 'fail'
            ? { tokenIds: [], text: '', finish: 'failed', cause: 'as told' }
            : { tokenIds: [], tokens: tokenIds.length, text, finish };
        await control?.onCompletion?.(at, completion);
        completions.push(completion);
      }
      return completions;
    },
  };
}

const input = smallRun({ iterations: 1, shardSize: 50 });

describe('completions of an engine that is not deterministic', () => {
  it('are never sampled twice, though the engine dies inside every shard', { timeout: 300_000 }, async () => {
    let deaths = 0;
    const told = new Set<number>();
    const engine = unlikeItself((n) => {
      if (n % 30 !== 0 || told.has(n)) return undefined;
      told.add(n);
      deaths++;
      return 'die';
    });
    const plain = unlikeItself(() => undefined);
    const [on, beside] = [await server.bench({ engine }), await server.bench({ engine: plain })];
    await on.during(async () => (await startRun(on, 'dying', input)).result());
    await beside.during(async () => (await startRun(beside, 'undisturbed', input)).result());
    expect(deaths).toBeGreaterThan(5);
    expect(new Set(engine.sampled).size).toBe(engine.sampled.length);
    expect(engine.sampled.toSorted()).toEqual(plain.sampled.toSorted());
    const [document, undisturbed] = [await documentOf(on, 'dying'), await documentOf(beside, 'undisturbed')];
    expect(document.ledgerDigest).toBe(undisturbed.ledgerDigest);
    expect(document.iterations.map(({ tokens }) => tokens)).toEqual(undisturbed.iterations.map(({ tokens }) => tokens));
    expect(filesNamed(on.folder, 'completions.jsonl')).toEqual([]);
  });

  it('a line torn by a kill costs that row alone', { timeout: 300_000 }, async () => {
    let torn = '';
    const bench = { folder: '' };
    const engine = unlikeItself((n, { seed }) => {
      if (n !== 20 || torn) return undefined;
      torn = seed;
      const [file] = filesNamed(bench.folder, 'completions.jsonl');
      appendFileSync(file!, `\n{"seed":"${seed}","completion":{"te`);
      return 'die';
    });
    const on = await server.bench({ engine });
    bench.folder = on.folder;
    await on.during(async () => (await startRun(on, 'torn', input)).result());
    expect(torn).not.toBe('');
    expect(new Set(engine.sampled).size).toBe(engine.sampled.length);
  });

  it(
    'a row that failed is unjudged, the run says why, and a retry asks for it alone',
    { timeout: 300_000 },
    async () => {
      const plain = unlikeItself(() => undefined);
      const beside = await server.bench({ engine: plain });
      await beside.during(async () => (await startRun(beside, 'whole', input)).result());
      const { ledgerRef, ledgerDigest } = (await documentOf(beside, 'whole')).iterations[1]!;
      const rows = await readRows(beside.store, { shards: [ledgerRef], from: 0, to: ledgerRef.rows ?? 0 }, LedgerRow);
      // One that needs no hint: the shards of rationalize are then the same in both tries.
      const drawn = rows.find(({ outcome }) => outcome === 'accepted-free')!.problem;

      const failed: string[] = [];
      let failing = true;
      const engine = unlikeItself((_, { seed, prompt }) => {
        if (!failing || prompt !== `${drawn}\n`) return undefined;
        failed.push(seed);
        return 'fail';
      });
      const on = await server.bench({ engine });
      await on.during(async () => {
        const handle = await startRun(on, 'failing', {
          ...input,
          set: { ...input.set, 'judging.atMostUnjudged': 0.01 },
        });
        const { reason } = await untilWaiting(handle);
        expect(reason).toMatch(/JudgingTrouble: 1 of \d+ judgements are missing .*as told/);
        failing = false;
        await handle.executeUpdate('retryIteration', { args: [{}] });
        await handle.result();
      });
      expect(failed).toHaveLength(1);
      expect(engine.sampled.toSorted()).toEqual([...plain.sampled, ...failed].toSorted());
      expect((await documentOf(on, 'failing')).iterations[1]!.ledgerDigest).toBe(ledgerDigest);
    },
  );
});

function filesNamed(folder: string, name: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => path.basename(file) === name)
    .map((file) => path.join(folder, file));
}
