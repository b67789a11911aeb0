/** Stopping rules of a run: regression with roll-back, budgets in tokens, time and money, and how a run goes on after them. */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import type { Progress } from '../../schemas/run.ts';
import { skilledAdder } from '../support/skilled.ts';
import { fileServer } from '../support/file-server.ts';
import { documentOf, scriptedAdder, smallRun, startRun, untilWaiting } from '../support/temporal.ts';

const server = fileServer();
const bench = (engine: Engine = scriptedAdder()) => server.bench({ engine });

/** One share for each training, the base's first. */
const skilled = (shares: number[]) => skilledAdder(() => shares.shift() ?? 0);

const stop = (rules: object) =>
  Object.fromEntries(Object.entries(rules).map(([key, value]) => [`stop.${key}`, value as unknown]));
const input = (rules: object, more: object = {}) =>
  smallRun({ shardSize: 200, set: { ...smallRun().set, ...stop(rules) }, ...more });

describe('regression', () => {
  it(
    'rolls back: the next iteration samples from the best model; falling as far again ends the run; both are recorded',
    { timeout: 120_000 },
    async () => {
      const { engine } = skilled([20, 80, 30, 40, 90]);
      const on = await bench(engine);
      await on.during(async () => {
        const handle = await startRun(on, 'falls', input({ regression: 0.1, patience: 10 }, { iterations: 6 }));
        const end = (await handle.result()) as Progress;
        expect(end.decisions).toMatchObject([
          { after: 2, action: 'roll-back', rule: 'regression', to: 1 },
          { after: 3, action: 'stop', rule: 'regression' },
        ]);
        expect(end.reason).toMatch(/again after a roll-back/);
      });
      const document = await documentOf(on, 'falls');
      expect(document.decisions).toHaveLength(2);
      expect(document.best?.n).toBe(1);
      expect(document.iterations.map((one) => one.rolledBackTo)).toEqual([undefined, undefined, undefined, 1]);
      // What iteration 3 drew was solved as by the model of iteration 1 (80%), not as by that of 2 (30%).
      expect(document.iterations[3]!.ledger.acceptedFree).toBeGreaterThan(24);
      expect(document.iterations[2]!.ledger.acceptedFree, 'by the model of iteration 1').toBeGreaterThan(24);
    },
  );

  it(
    'a better iteration after a roll-back takes its place, and the run goes on to its end',
    { timeout: 120_000 },
    async () => {
      const { engine } = skilled([20, 80, 30, 90, 90]);
      const on = await bench(engine);
      await on.during(async () => {
        const handle = await startRun(on, 'recovers', input({ regression: 0.1, patience: 10 }, { iterations: 4 }));
        const end = (await handle.result()) as Progress;
        expect(end.decisions?.map(({ action, rule }) => `${action} by ${rule}`)).toEqual([
          'roll-back by regression',
          'stop by iterations',
        ]);
      });
      expect((await documentOf(on, 'recovers')).best?.n).toBe(3);
    },
  );
});

describe('a budget', () => {
  it(
    'in tokens stops the run at a shard’s end and waits; raised, the run ends with the digests of one without a budget',
    { timeout: 180_000 },
    async () => {
      const plain = await bench();
      await plain.during(async () => (await startRun(plain, 'plain', input({}))).result());
      const whole = await documentOf(plain, 'plain');
      const tokens = whole.iterations.map(({ spent }) => (spent ? spent.sampled + spent.trained : 0));
      expect(Math.min(...tokens)).toBeGreaterThan(0);
      const [first = 0, second = 0] = tokens;

      const on = await bench();
      await on.during(async () => {
        const limit = first + Math.ceil(second / 2);
        const handle = await startRun(on, 'short', input({ 'budget.tokens': limit, 'budget.warnAt': 0.3 }));
        const { reason, records } = await untilWaiting(handle);
        expect(records, 'iteration 1 is cut short').toHaveLength(1);
        expect(reason).toMatch(/^the budget is spent: tokens \d+ of \d+/);
        const retry = (set: object) => handle.executeUpdate('retryIteration', { args: [{ set }] });
        await expect(retry({}), 'nothing has changed').rejects.toMatchObject({
          cause: { message: expect.stringContaining('stop.budget.tokens') as string },
        });
        await expect(retry({ 'stop.budget.tokens': first })).rejects.toThrow();
        await expect(retry({ 'stop.budget.money': 10 }), 'no price').rejects.toThrow();
        await retry({ 'stop.budget.tokens': 100 * limit });
        expect(await handle.result()).toMatchObject({ status: 'done' });
      });
      const document = await documentOf(on, 'short');
      expect(document.decisions?.map(({ after, action }) => `${action} after ${after}`)).toEqual([
        'warn after 0',
        'wait after 0',
        'raise after 0',
        'stop after 2',
      ]);
      expect(document.ledgerDigest).toBe(whole.ledgerDigest);
      expect(document.weightsDigest).toBe(whole.weightsDigest);
      expect(document.iterations[1]!.spent?.sampled, 'what the memo had counts').toBe(
        whole.iterations[1]!.spent?.sampled,
      );
      expect(document.iterations[1]).toMatchObject({ changed: {}, attempt: 1 });
    },
  );

  it(
    'in time stops the run when its clock says so, pauses apart; with onFailure: fail it ends as stopped',
    { timeout: 120_000 },
    async () => {
      const inner = scriptedAdder();
      const slow: Engine = {
        ...inner,
        sample: async (request, control) => {
          await new Promise((resolve) => setTimeout(resolve, 400));
          return inner.sample(request, control);
        },
      };
      const on = await bench(slow);
      await on.during(async () => {
        const set = { 'budget.wallMinutes': 1 / 60 };
        const handle = await startRun(on, 'late', input(set, { onFailure: 'fail', shardSize: 10 }));
        const end = (await handle.result()) as Progress;
        expect(end).toMatchObject({ status: 'stopped', records: [] });
        expect(end.decisions).toMatchObject([{ after: -1, action: 'stop', rule: 'budget' }]);
        expect(end.reason).toMatch(/wallMinutes 0\.0\d+ of 0\.01/);

        const paused = await startRun(on, 'paused', input({ 'budget.wallMinutes': 1000 }, { iterations: 0 }));
        await paused.executeUpdate('pause');
        await new Promise((resolve) => setTimeout(resolve, 4000));
        await paused.executeUpdate('resume');
        await paused.result();
      });
      const { startedAt, updatedAt, iterations } = await documentOf(on, 'paused');
      const between = Date.parse(updatedAt) - Date.parse(startedAt);
      expect(iterations[0]!.spent!.wallMs, 'four seconds of pause cost nothing').toBeLessThan(between - 3500);
    },
  );

  it(
    'in money needs an engine with a price, and counts sampled and trained tokens by it',
    { timeout: 120_000 },
    async () => {
      const on = await bench();
      await on.during(async () => {
        const asked = (money: number) => input({ 'budget.money': money }, { onFailure: 'fail' });
        const unpriced = await startRun(on, 'unpriced', asked(1));
        await expect(unpriced.result()).rejects.toMatchObject({
          cause: { message: expect.stringContaining('stop.budget.money: engine scripted has no price') as string },
        });
        on.deps.price = () => ({ perMillionSampled: 0, perMillionTrained: 1000, perHour: 0, currency: 'EUR' });
        await (await startRun(on, 'rich', asked(1e9))).result();
        const [base = 0, first = 0] = (await documentOf(on, 'rich')).iterations.map(({ spent }) => spent?.trained ?? 0);
        expect(first).toBeGreaterThan(0);
        const price = (tokens: number) => (tokens * 1000) / 1e6;
        const handle = await startRun(on, 'priced', asked(price(base + first / 2)));
        const end = (await handle.result()) as Progress;
        expect(end, 'cut short behind the training of iteration 1').toMatchObject({ status: 'stopped' });
        expect(end.records).toHaveLength(1);
        const [, told = ''] = /^the budget is spent: money ([\d.]+) of [\d.]+ EUR$/.exec(end.reason ?? '') ?? [];
        expect(Number(told)).toBeCloseTo(price(base + first), 1);
      });
    },
  );
});
