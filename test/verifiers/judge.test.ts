import { describe, expect, it, vi } from 'vitest';
import { additionProblem } from '../../tasks/addition.ts';
import { judgeOne, judgeSafely } from '../../verifiers/judge.ts';
import { correct, incorrect } from '../../verifiers/verifier.ts';
import type { Judgement } from '../../verifiers/verifier.ts';

const options = { timeoutMs: 30 };

describe('judgeSafely', () => {
  it('passes judgements on, of plain functions and of promises', async () => {
    const judge = vi.fn(() => incorrect('answered "3"'));
    expect(await judgeSafely(judge, options)).toEqual({ verdict: 'incorrect', why: 'answered "3"' });
    expect(judge).toHaveBeenCalledTimes(1);
    expect(await judgeSafely(() => Promise.resolve(correct()), options)).toEqual({ verdict: 'correct' });
  });

  it('takes an exception for unjudged, with its cause', async () => {
    for (const judge of [
      vi.fn((): Judgement => {
        throw new TypeError('no sandbox');
      }),
      vi.fn(() => Promise.reject<Judgement>(new TypeError('no sandbox'))),
    ]) {
      expect(await judgeSafely(judge, options)).toEqual({
        verdict: 'unjudged',
        cause: 'the verifier threw TypeError: no sandbox',
      });
      expect(judge).toHaveBeenCalledTimes(1);
    }
  });

  it('takes a verifier that hangs for unjudged, and tells it to stop', async () => {
    const signals: AbortSignal[] = [];
    const started = performance.now();
    const verdict = await judgeSafely(
      (signal) => {
        signals.push(signal);
        return new Promise<never>(() => undefined);
      },
      { timeoutMs: 20 },
    );
    expect(verdict).toEqual({ verdict: 'unjudged', cause: 'no verdict within 20 ms' });
    expect(performance.now() - started).toBeLessThan(2000);
    expect(signals.map((signal) => signal.aborted)).toEqual([true]);
  });

  it('takes nonsense for unjudged', async () => {
    const trap = {
      verdict: 'correct',
      get why() {
        throw new Error('trap');
      },
    };
    for (const nonsense of [
      undefined,
      null,
      true,
      0,
      10n,
      'correct',
      {},
      { verdict: 'incorrect' },
      { verdict: 'correct', why: 'surplus' },
      { verdict: 'unjudged', cause: 'made by hand' },
      trap,
    ]) {
      const verdict = await judgeSafely(() => nonsense as unknown as Judgement, options);
      expect(verdict).toEqual({
        verdict: 'unjudged',
        cause: expect.stringMatching(/^the verifier (returned|threw) /) as string,
      });
    }
  });

  it('never rejects, whatever is thrown', async () => {
    const trap = {
      toJSON() {
        throw new Error('trap');
      },
      toString() {
        throw new Error('trap');
      },
    };
    for (const thrown of [undefined, null, 'text', trap, Object.create(null), Symbol('s'), 10n]) {
      const verdict = await judgeSafely(() => {
        throw thrown;
      }, options);
      expect(verdict).toEqual({ verdict: 'unjudged', cause: expect.stringMatching(/^the verifier threw /) as string });
    }
  });

  it('never rejects when a try fails after its time-out', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    const verdict = await judgeSafely(
      () => new Promise<never>((_, reject) => setTimeout(() => reject(new Error('late')), 30)),
      { timeoutMs: 5 },
    );
    await new Promise((resolve) => setTimeout(resolve, 60));
    process.off('unhandledRejection', unhandled);
    expect(verdict).toMatchObject({ verdict: 'unjudged' });
    expect(unhandled).not.toHaveBeenCalled();
  });

  it('keeps causes short', async () => {
    const verdict = await judgeSafely(() => {
      throw new Error('x'.repeat(100_000));
    }, options);
    expect(JSON.stringify(verdict).length).toBeLessThan(600);
  });

  it('rejects when cancelled, before and during a try, with the reason as it is, and lets go of the signal', async () => {
    const reason = new Error('cancelled by the server');
    const judge = vi.fn(() => correct());
    await expect(judgeSafely(judge, { ...options, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(judge).not.toHaveBeenCalled();
    const controller = new AbortController();
    let inner: AbortSignal | undefined;
    const running = judgeSafely(
      (signal) => {
        inner = signal;
        return new Promise<never>(() => undefined);
      },
      { timeoutMs: 60_000, signal: controller.signal },
    );
    controller.abort(reason);
    await expect(running).rejects.toBe(reason);
    expect(inner?.aborted).toBe(true);
  });
});

describe('a vote', () => {
  const problem = additionProblem(1, 2, 1);
  const asked = (vote?: () => string | null | Promise<string | null>) =>
    judgeOne({ judge: () => incorrect('no'), ...(vote && { vote }) }, problem, '', { timeoutMs: 50, vote: true });
  const verdict = { verdict: 'incorrect', why: 'no' };

  it('stands beside the verdict, and is absent where the task has none or nobody asks', async () => {
    expect(await asked(() => 'a')).toEqual({ verdict, steps: null, vote: 'a' });
    expect(await asked(() => Promise.resolve(null))).toEqual({ verdict, steps: null, vote: null });
    expect(await asked()).toEqual({ verdict, steps: null });
    const task = { judge: () => incorrect('no'), vote: () => 'a' };
    expect(await judgeOne(task, problem, '', { timeoutMs: 50 })).toEqual({ verdict, steps: null });
  });

  it('that throws or hangs leaves the row unjudged', async () => {
    const throwing = () => Promise.reject<string>(new TypeError('no sandbox'));
    for (const vote of [throwing, () => new Promise<never>(() => undefined)])
      expect((await asked(vote)).verdict.verdict).toBe('unjudged');
  });
});
