/** The pure parts of workflows and activities: cutting rows, deciding, outcomes, steps. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seedExamples } from '../../activities/fine-tune.ts';
import { planRun } from '../../activities/resolve.ts';
import { stepsOf } from '../../activities/training.ts';
import { countOutcomes, LedgerBuilder, outcomeOf } from '../../activities/ledger.ts';
import { recipeById, recipeIds } from '../../recipes/index.ts';
import { RunInput } from '../../schemas/run.ts';
import { STAGES } from '../../schemas/stage.ts';
import type { StageOptions } from '../../schemas/stage.ts';
import type { LedgerRow } from '../../schemas/verdict.ts';
import { taskById, taskIds } from '../../tasks/index.ts';
import { bestIteration, decide } from '../../workflows/decide.ts';
import { cutRows } from '../../workflows/shards.ts';
import type { sliceOf } from '../../workflows/shards.ts';

const digest = (n: number) => `sha256:${n.toString(16).padStart(64, '0')}`;

describe('cutting rows', () => {
  it('every row is in exactly one piece, in order, the last partial piece included', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(30), { maxLength: 12 }), fc.integer({ min: 1, max: 40 }), (sizes, shardSize) => {
        const shards = sizes.map((rows, i) => ({ digest: digest(i), bytes: 1, rows }));
        const all = sizes.flatMap((rows, i) => Array.from({ length: rows }, (_, row) => `${i}/${row}`));
        const pieces = cutRows({ problems: { shards, rows: all.length } }, ['problems'], shardSize);
        const seen = pieces.flatMap(({ problems }) => {
          const slice = problems as ReturnType<typeof sliceOf>;
          const concatenated = slice.shards.flatMap((shard) => {
            const i = parseInt(shard.digest.slice(7), 16);
            return Array.from({ length: shard.rows ?? 0 }, (_, row) => `${i}/${row}`);
          });
          expect(slice.to - slice.from).toBeLessThanOrEqual(shardSize);
          return concatenated.slice(slice.from, slice.to);
        });
        expect(seen).toEqual(all);
      }),
    );
  });
});

describe('deciding', () => {
  const rule = { plateau: 'score.dev.accuracy', patience: 2, atMost: 16 };
  const run = (...dev: number[]) => dev.map((value, n) => ({ n, dev: value }));
  it('goes on while dev gets better, stops after `patience` iterations without', () => {
    expect(decide(run(0.1, 0.2, 0.3), rule, 9).action).toBe('continue');
    expect(decide(run(0.1, 0.4, 0.3), rule, 9).action).toBe('continue');
    expect(decide(run(0.1, 0.4, 0.3, 0.4), rule, 9)).toMatchObject({
      action: 'stop',
      reason: expect.stringContaining('plateau') as string,
    });
    expect(decide(run(0.1, 0.2, 0.3), rule, 2)).toMatchObject({ action: 'stop', reason: 'all 2 iterations are done' });
  });
  it('rolls back once to a best that it fell far below, stops where it falls again, goes on from a better one', () => {
    const falling = { ...rule, patience: 5, regression: 0.1 };
    expect(decide(run(0.1, 0.5, 0.4), falling, 9), 'a fall of exactly that much').toEqual({ action: 'continue' });
    const back = decide(run(0.1, 0.5, 0.39), falling, 9);
    expect(back).toMatchObject({ action: 'roll-back', to: 1, rule: 'regression' });
    const taken = [{ after: 2, action: 'roll-back' as const, to: 1 }];
    expect(decide(run(0.1, 0.5, 0.39), falling, 9, taken).action, 'asked again, it is taken').toBe('continue');
    expect(decide(run(0.1, 0.5, 0.39, 0.3), falling, 9, taken)).toMatchObject({ action: 'stop', rule: 'regression' });
    expect(decide(run(0.1, 0.5, 0.39, 0.6, 0.4), falling, 9, taken), 'another best').toMatchObject({
      action: 'roll-back',
      to: 3,
    });
    expect(decide(run(0.1, 0.5, 0.1), rule, 9).action, 'not declared').toBe('continue');
  });
  it('the best is the earliest of equals', () => expect(bestIteration(run(0.1, 0.4, 0.4))?.n).toBe(1));
});

const sample = (
  hinted: boolean,
  verdict: 'correct' | 'incorrect' | 'unjudged',
  n = 0,
): LedgerRow['samples'][number] => ({
  hinted,
  sample: n,
  verdict,
  sound: null,
});

describe('the ledger', () => {
  it('gives each problem the first word that holds', () => {
    expect(outcomeOf([sample(false, 'incorrect'), sample(false, 'correct', 1), sample(true, 'unjudged')])).toBe(
      'accepted-free',
    );
    expect(outcomeOf([sample(false, 'incorrect'), sample(true, 'correct')])).toBe('accepted-hinted');
    expect(outcomeOf([sample(false, 'unjudged'), sample(false, 'incorrect', 1)])).toBe('unjudged');
    expect(outcomeOf([sample(false, 'incorrect'), sample(true, 'incorrect')])).toBe('rejected');
    expect(outcomeOf([]), 'drawn but never judged is no rejection').toBe('unjudged');
  });
  it('adds up to the number drawn whatever the verdicts (I3)', () => {
    const verdict = fc.constantFrom('correct', 'incorrect', 'unjudged');
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.tuple(fc.boolean(), verdict), { maxLength: 4 }), { maxLength: 30 }),
        (problems) => {
          const rows = problems.map((samples, i) => {
            const all = samples.map(([hinted, found], n) => sample(hinted, found as 'correct', n));
            return { problem: `${i}`, stratum: '1', outcome: outcomeOf(all), samples: all };
          });
          const ledger = countOutcomes(rows);
          expect(Object.values(ledger).reduce((sum, one) => sum + one, 0)).toBe(problems.length);
        },
      ),
    );
  });
  it('refuses a judged row that nobody drew, and a problem drawn twice', () => {
    const problem = { id: '1+2', identity: '1+2', stratum: '1', data: {}, gold: ['3'] };
    const rationale = { problem, sample: 0, hinted: false, text: '3', tokens: [], finish: 'stop' as const };
    const judged = { rationale, verdict: { verdict: 'correct' as const }, sound: null, firstWrongStep: null };
    expect(() => new LedgerBuilder().judge([judged])).toThrow(/never drawn/);
    expect(() => new LedgerBuilder().draw([problem, problem])).toThrow(/drawn twice/);
  });
});

describe('steps of a fine-tune (I8)', () => {
  const options = (steps: object) => STAGES['fine-tune'].options.parse({ steps });
  it("grow as the paper's: ⌊40·1.2^(n−1)⌋", () => {
    const steps = options({ first: 40, growth: 1.2 });
    const published = [40, 48, 57, 69, 82, 99, 119, 143, 171, 206, 247, 297, 356, 427, 513, 616];
    expect(published.map((_, i) => stepsOf(steps, i + 1))).toEqual(published);
    expect(stepsOf(steps, 30)).toBe(7912);
  });
  it('add, and stop growing at the cap', () => {
    expect([1, 2, 16].map((n) => stepsOf(options({ first: 300, add: 20 }), n))).toEqual([300, 320, 600]);
    expect(stepsOf(options({ first: 40, growth: 1.2, cap: 100 }), 30)).toBe(100);
  });
  const plan = (recipe: string) =>
    planRun(
      {
        recipe: recipeById,
        recipeIds: recipeIds(),
        task: taskById,
        taskIds: taskIds(),
        engineNames: ['tfjs'],
        defaultEngine: 'tfjs',
      },
      RunInput.parse({ recipe, task: 'addition' }),
    ).filled.recipe.stages.next?.with as StageOptions<'fine-tune'>;
  it('star-paper on addition takes 300 + 20(n−1) steps at 1e-6 after 100 of warm-up', () => {
    const paper = plan('star-paper');
    expect(paper).toMatchObject({ learningRate: 1e-6, warmupSteps: 100, decay: 'constant', batchSize: 8 });
    expect([1, 2, 3].map((n) => stepsOf(paper, n))).toEqual([300, 320, 340]);
  });
  it('seeds-only and star-without-hints train as star does: rows differ, nothing else', () => {
    expect(plan('seeds-only')).toEqual(plan('star'));
    expect(plan('star-without-hints')).toEqual(plan('star'));
  });
});

it('hinted seeds enter by the declared share, the plain ones all (I2)', () => {
  const task = taskById('addition')!;
  const seeds = task.seeds({ digits: 2 }, 'a');
  for (const share of [0, 0.4, 1]) {
    const rows = seedExamples(task, seeds, share);
    expect(rows.filter((row) => row.origin === 'seed')).toHaveLength(seeds.length);
    expect(rows.filter((row) => row.origin === 'seed-hinted')).toHaveLength(Math.round(share * seeds.length));
  }
});
