import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { writeRun } from '../../cli/document.ts';
import { contextOf, openStore } from '../../cli/parts.ts';
import { main } from '../../cli/program.ts';
import refit from '../../recipes/refit.ts';
import { RunInput } from '../../schemas/run.ts';
import type { Judged } from '../../schemas/verdict.ts';
import { writeRows } from '../../store/rows.ts';
import chains, { ChainParameters } from '../../tasks/chains.ts';
import type { Foretold } from '../../theory/foretold.ts';
import type { Held } from '../../theory/measured.ts';
import { nextDeltas } from '../../theory/recursion.ts';
import { fakeDocument, fakeRecord, fakeResolved } from './fixture/document.ts';

const home = mkdtempSync(path.join(tmpdir(), 'theory-'));
async function theory(...words: string[]) {
  let out = '';
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((out += String(text)), true)),
    vi.spyOn(process.stderr, 'write').mockImplementation(() => true),
  ];
  const code = await main(['theory', ...words, '--json'], (terminal) => ({ ...contextOf(terminal), home }));
  for (const spy of spies) spy.mockRestore();
  return {
    code,
    json: JSON.parse(out) as { rows: Foretold[]; markdown: string; figure: string; error?: { message: string } },
  };
}
const small = ['--states', '8', '--iterations', '3', '--samples', '512', '--seeds', '6'];

describe('theory', () => {
  it('holds the recursion against the loop, and writes table and figure', async () => {
    const { code, json } = await theory(...small, '--deltas', '0.3,0.3');
    expect(code).toBe(0);
    expect(json.rows.map(({ iteration }) => iteration)).toEqual([0, 1, 2, 3]);
    const [base, first, , last] = json.rows;
    expect(base).toMatchObject({ off: null, interval: null, within: null });
    expect(first?.interval?.[0]).toBeLessThan(first?.off ?? 0);
    expect(last?.measured.accuracy).toBeGreaterThan(0.9);
    expect(readFileSync(json.markdown, 'utf8')).toContain('| 3 |');
    const figure = readFileSync(json.figure, 'utf8');
    expect(figure).toContain('<svg');
    expect(figure).toContain('sound, measured');
    expect((await theory(...small, '--deltas', '0.3,0.3')).json.rows).toEqual(json.rows);
  });

  it('tells a loop that the recursion does not describe: few samples, two steps without a signal', async () => {
    const { json } = await theory(
      '--states',
      '8',
      '--deltas',
      '0.2,0,0',
      '--iterations',
      '6',
      '--samples',
      '32',
      '--seeds',
      '10',
    );
    expect(json.rows.slice(1).some(({ within }) => within === false)).toBe(true);
  });

  it('refuses what is no chain', async () => {
    expect(await theory('--states', '8', '--deltas', '2')).toMatchObject({
      code: 2,
      json: { error: { code: 'InvalidInput' } },
    });
    expect((await theory('--deltas', 'x')).code).toBe(2);
  });
});

/** A run's document with the samples of planted models in the store: model n's advantages are `deltas[n]`. */
async function plant(runId: string, deltas: number[][], temperature = 1, task = 'chains'): Promise<void> {
  const store = await openStore(home);
  const parameters = ChainParameters.parse({ deltas: deltas[0], seeds: 1500 });
  const iterations = [fakeRecord(0)];
  for (const [model, own] of deltas.entries()) {
    const rows: Judged[] = chains
      .seeds({ ...parameters, deltas: own }, `${runId} ${model}`)
      .map(({ problem, rationale: text }) => ({
        rationale: { problem, sample: 0, hinted: false, text, tokens: [1], finish: 'stop' },
        verdict: { verdict: 'correct' },
        sound: null,
        firstWrongStep: null,
      }));
    // A hinted text is no sample of the model's own moves.
    const [hinted] = rows.map((row) => ({ ...row, rationale: { ...row.rationale, hinted: true, text: 'no chain' } }));
    iterations.push({ ...fakeRecord(model + 1), judged: [await writeRows(store, [...rows, hinted])] });
  }
  const recipe = {
    ...refit,
    stages: { ...refit.stages, sampled: { ...refit.stages.sampled!, with: { temperature } } },
  };
  const input = RunInput.parse({ recipe: 'refit', task, parameters });
  const made = fakeResolved(recipe, {}, { task, parameters });
  await writeRun(store, {
    ...fakeDocument(runId, input, 'done', null, 0),
    recipe: 'refit',
    iterations,
    resolved: made,
  });
}

describe('theory of runs', () => {
  const next = (deltas: number[]) => nextDeltas({ states: 8, deltas });
  const start = [0.4, 0.3];

  it('measures planted chains run by run, and tells one that follows the recursion from one that does not', async () => {
    for (const runId of ['follows-1', 'follows-2']) await plant(runId, [start, next(start), next(next(start))]);
    await plant('stands', [start, start, start]);
    await plant('leaps', [
      [0.4, 0],
      [0.9, 0.9],
    ]);
    const { code, json } = await theory('follows-1', 'follows-2', 'leaps');
    expect(code).toBe(0);
    const [follows, leaps] = (json as unknown as { groups: { runs: string[]; rows: Held[]; figure: string }[] }).groups;
    expect(follows!.runs).toEqual(['follows-1', 'follows-2']);
    expect(follows!.rows.map(({ samples }) => samples)).toEqual([1500, 1500, 1500]);
    // Four standard errors of a mean of two shares of 1,500, and as much for what they foretell.
    for (const { off } of follows!.rows.slice(1)) expect(Math.abs(off!)).toBeLessThan(0.08);
    for (const [step, delta] of start.entries())
      expect(Math.abs(follows!.rows[0]!.deltas[step]! - delta)).toBeLessThan(0.05);
    expect(leaps!.rows[1]!.off).toBeGreaterThan(0.5);
    expect(readFileSync(json.markdown, 'utf8')).toContain('Runs follows-1, follows-2.');
    expect(readFileSync(leaps!.figure, 'utf8')).toContain('sound, measured');
  });

  it('refuses runs that show no probabilities, another task, and none at all', async () => {
    await plant('greedy', [start], 0);
    expect(await theory('greedy')).toMatchObject({ code: 2, json: { error: { code: 'InvalidInput' } } });
    await plant('sums', [start], 1, 'addition');
    expect((await theory('sums')).json.error!.message).toContain('addition');
    expect(await theory('follow-1')).toMatchObject({ code: 2, json: { error: { code: 'UnknownRun' } } });
  });
});
