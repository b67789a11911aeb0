/** A verifier in its child process: whatever it does, a row has a verdict or a cause, and the next row is judged. */
import { afterAll, describe, expect, it, vi } from 'vitest';
import { judgeRows } from '../../activities/judge.ts';
import type { Rationale } from '../../schemas/rationale.ts';
import addition, { additionProblem } from '../../tasks/addition.ts';
import type { Task } from '../../tasks/task.ts';
import { takeVerifier } from '../../verifiers/host.ts';
import { misbehaving } from './misbehaving.ts';

process.env.TEMPORAL_API_KEY = 'kept-from-children';
const problem = additionProblem(12, 34, 2);
const gold = addition.goldCompletion(problem);
const verifier = takeVerifier(misbehaving.modules[0] as URL, { memoryMb: 96 });
afterAll(() => verifier.release());
const judge = (text: string, timeoutMs = 20_000) => verifier.judge(problem, text, { timeoutMs });
const LONG = 60_000;

describe('a verifier in a child process', () => {
  it.each([
    ['throws', 'the verifier threw Error: no such table'],
    ['exits', "the verifier's process ended (exit code 3)"],
    ['dies', "the verifier's process ended (SIGKILL)"],
    ['fills', 'the verifier ran out of memory (96 MB allowed)'],
    ['fills the heap', 'the verifier ran out of memory (96 MB allowed)'],
    ['tells what it sees', 'the verifier threw Error: the key is undefined, the path there'],
    ['is true', 'the verifier returned true; expected correct() or incorrect(why)'],
    ['is a score', 'the verifier returned {"verdict":"correct","score":0.9}; expected correct() or incorrect(why)'],
    ['is nothing', 'the verifier returned undefined; expected correct() or incorrect(why)'],
    ['is unjudged', expect.stringContaining('expected correct() or incorrect(why)') as string],
  ])(
    'that %s leaves its row unjudged with the cause, and judges the next',
    async (text, cause) => {
      expect(await judge(text)).toEqual({ verdict: { verdict: 'unjudged', cause }, steps: null });
      expect(await judge(gold)).toEqual({
        verdict: { verdict: 'correct' },
        steps: { sound: true, firstWrongStep: null },
      });
    },
    LONG,
  );

  it.each(['hangs', 'spins'])(
    'that %s is ended when its time is up, and judges the next',
    async (text) => {
      expect(await judge(text, 300)).toEqual({
        verdict: { verdict: 'unjudged', cause: 'no verdict within 300 ms' },
        steps: null,
      });
      expect((await judge(`${gold}0`)).verdict).toMatchObject({ verdict: 'incorrect' });
    },
    LONG,
  );

  it(
    'that spins is ended at once when the shard is cancelled',
    async () => {
      const cancel = new AbortController();
      const reason = new Error('cancelled');
      setTimeout(() => cancel.abort(reason), 300);
      await expect(verifier.judge(problem, 'spins', { timeoutMs: 60_000, signal: cancel.signal })).rejects.toBe(reason);
      expect((await judge(gold)).verdict).toEqual({ verdict: 'correct' });
    },
    LONG,
  );
});

const row = (sample: number, text: string): Rationale => ({
  problem,
  sample,
  hinted: false,
  text,
  tokens: [],
  finish: 'stop',
});
const control = { signal: new AbortController().signal, onProgress: () => undefined };

describe('the rows of a shard', () => {
  it('what fails at first and is judged later keeps that judgement; what was judged is not asked again', async () => {
    let asks = 0;
    const busy: Task = {
      ...addition,
      judge: (one, text) => {
        if (text === gold && ++asks < 3) throw new Error('busy');
        return addition.judge(one, text);
      },
    };
    const wrong = vi.spyOn(addition, 'judge');
    const rows = [row(0, gold), row(1, `${gold}0`)];
    const judged = await judgeRows(busy, rows, { timeoutMs: 1_000, tries: 3 }, control);
    expect(judged.map((one) => one.verdict.verdict)).toEqual(['correct', 'incorrect']);
    expect([asks, wrong.mock.calls.length]).toEqual([3, 2]);
    asks = 0;
    const [once] = await judgeRows(busy, rows, { timeoutMs: 1_000, tries: 2 }, control);
    expect(once?.verdict).toEqual({ verdict: 'unjudged', cause: 'the verifier threw Error: busy' });
    wrong.mockRestore();
  });

  it(
    'one poison row costs itself: the rows before and after it are judged, in their order',
    async () => {
      const rows = [gold, 'fills', gold, 'exits', gold].map((text, sample) => row(sample, text));
      const judged = await judgeRows(misbehaving, rows, { timeoutMs: 20_000, tries: 2 }, control);
      expect(judged.map((one) => one.verdict.verdict)).toEqual([
        'correct',
        'unjudged',
        'correct',
        'unjudged',
        'correct',
      ]);
      expect(judged.map((one) => one.rationale.sample)).toEqual([0, 1, 2, 3, 4]);
    },
    LONG,
  );

  it(
    'rows behind a row of hanging ones are tried before those again: poison that stands together costs itself alone',
    async () => {
      const rows = [...Array<string>(9).fill('hangs'), gold, gold].map((text, sample) => row(sample, text));
      const judged = await judgeRows(misbehaving, rows, { timeoutMs: 100, tries: 2 }, control);
      expect(judged.slice(-2).map((one) => one.verdict.verdict)).toEqual(['correct', 'correct']);
      expect(judged.filter((one) => one.verdict.verdict === 'unjudged')).toHaveLength(9);
    },
    LONG,
  );

  it(
    'an outage in which every row hangs takes the time-outs of a few rows, not of all',
    async () => {
      const rows = Array.from({ length: 200 }, (_, sample) => row(sample, 'hangs'));
      const began = Date.now();
      const judged = await judgeRows(misbehaving, rows, { timeoutMs: 100, tries: 2 }, control);
      expect(judged.every((one) => one.verdict.verdict === 'unjudged')).toBe(true);
      expect(Date.now() - began, '2 rounds of 8 rows, not of 200').toBeLessThan(20_000);
    },
    LONG,
  );
});
