/**
 * `study` as a whole, on a real server and worker with the scripted engine: a method against its controls over two seeds, the table of
 * verdicts, and the call that finds all of it done.
 */
import { readFileSync } from 'node:fs';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Context } from '../../cli/parts.ts';
import { main } from '../../cli/program.ts';
import type { StudyLine } from '../../report/study.ts';
import { createBench, startServer } from '../support/temporal.ts';
import type { Bench } from '../support/temporal.ts';

let env: TestWorkflowEnvironment;
let bench: Bench;
beforeAll(async () => {
  env = await startServer();
  bench = await createBench(env, { settingsQueues: true });
}, 60_000);
afterAll(async () => {
  await bench.close();
  await env.teardown();
});

interface Told {
  code: number;
  json: {
    name: string;
    rows: { key: string; runId: string; status: string | null; reused: boolean }[];
    lines: StudyLine[];
    markdown: string;
    figure: string;
    error?: { code: string; message: string };
  };
  err: string;
}
async function study(...words: string[]): Promise<Told> {
  let [out, err] = ['', ''];
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((out += String(text)), true)),
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((err += String(text)), true)),
  ];
  const server = { mode: 'remote', address: env.address, namespace: 'default' } as const;
  const code = await main(['study', ...words, '--json'], (terminal): Context => ({
    home: bench.folder,
    server,
    terminal,
  }));
  for (const spy of spies) spy.mockRestore();
  return { code, json: JSON.parse(out) as Told['json'], err };
}

const steps = '{"first":4,"growth":1,"add":0}';
const small = ['--seeds', '1,2', '--iterations', '1', '--limit', '20', '--set', 'parameters.digits=1'].concat(
  ...['stages.next.with.steps', 'base.steps'].map((name) => ['--set', `${name}=${steps}`]),
);
const CONTROLS = ['unfiltered', 'shuffled-gold', 'seeds-only', 'hint-only', 'untrained'].map((name) => `star-${name}`);

describe('study', () => {
  it('without others it is held against every control; --dry-run starts nothing', async () => {
    const { code, json, err } = await study('star', ...small, '--dry-run');
    expect(code, err).toBe(0);
    expect(json.rows.map(({ key }) => key)).toEqual(
      [1, 2].flatMap((seed) => ['star', ...CONTROLS].map((recipe) => `${recipe}-s${seed}`)),
    );
    expect(await bench.store.listNames('runs/')).toEqual([]);
  });

  it('refuses what is no recipe, or no control of it, before anything starts', async () => {
    expect(await study('addition', ...small)).toMatchObject({ code: 2, json: { error: { code: 'InvalidInput' } } });
    const { code, json } = await study('star', 'star-unfilterd', ...small);
    expect(code).toBe(2);
    expect(json.error?.message).toContain("did you mean 'star-unfiltered'?");
    const other = await study('star', ...small, '--strata', '1,2');
    expect(other).toMatchObject({ code: 2, json: { error: { code: 'InvalidInput' } } });
    expect(other.json.error?.message).toBe("--strata: there is no stratum '2', but 1");
    expect(await bench.store.listNames('runs/')).toEqual([]);
  });

  it('makes all runs, and says of each what the method is ahead of it', { timeout: 300_000 }, async () => {
    const words = ['star', 'star-seeds-only', 'star-shuffled-gold', 'star-untrained', ...small];
    const { code, json, err } = await bench.during(() => study(...words));
    expect(code, err).toBe(0);
    expect(json.rows.map(({ status }) => status)).toEqual(Array(8).fill('done'));
    const [star, seedsOnly, shuffled, untrained] = json.lines;
    expect(star).toMatchObject({ recipe: 'star', seeds: [1, 2], difference: null, verdict: null });
    for (const line of [seedsOnly, shuffled, untrained]) {
      expect(line?.difference?.bySeed).toHaveLength(2);
      expect(line?.difference?.value).toBeCloseTo((star?.test ?? 0) - (line?.test ?? 0), 9);
      expect(line?.verdict).toMatch(/^(supported|refuted|inconclusive)$/);
    }
    expect(seedsOnly?.overSeeds).toBeNull();
    expect(star?.overSeeds).toEqual(seedsOnly?.difference);
    expect(shuffled?.overSeeds?.value).toBeCloseTo((shuffled?.test ?? 0) - (seedsOnly?.test ?? 0), 9);
    expect(shuffled?.note).toContain('vacuous');
    expect(untrained?.note).toBe('every evaluation repeats iteration 0 to the bit');
    // The base, evaluated again, costs nothing; seeds alone are trained on, not sampled.
    expect(untrained?.compute).toEqual({ sampled: 0, trained: 0, steps: 0 });
    expect(untrained?.atEqualCost).toBe(untrained?.test);
    expect(seedsOnly?.compute.sampled).toBe(0);
    for (const { compute, atEqualCost } of json.lines) {
      expect(compute.sampled > 0).toBe(compute.trained > 0 && compute !== seedsOnly?.compute);
      expect(atEqualCost).not.toBeNull();
    }
    const markdown = readFileSync(json.markdown, 'utf8');
    expect(markdown).toContain('](study.svg)');
    const figure = readFileSync(json.figure, 'utf8');
    expect(figure).toMatch(/^<svg xmlns=[^]*<\/svg>\n$/);
    for (const { recipe } of json.lines) {
      expect(figure).toContain(`>${recipe}</text>`);
      expect(figure).toContain(`<title>${recipe}, iteration ${recipe === 'star-untrained' ? 0 : 1}: `);
    }
    for (const { recipe } of json.lines) expect(markdown).toContain(`| ${recipe} |`);
    for (const { recipe } of json.lines) expect(markdown).toContain(`\n## ${recipe}\n`);
    expect(markdown).toContain('Taken away: rows of its own');
    expect(markdown).toContain('> vacuous: trained on at most');
    expect(markdown).toMatch(/star less it: .* points, by seed .*: \*\*(supported|refuted|inconclusive)\*\*/);

    const again = await study(...words);
    expect(again.code, again.err).toBe(0);
    expect(again.json.rows.every(({ reused }) => reused)).toBe(true);
    expect(again.json.lines).toEqual(json.lines);
  });
});
