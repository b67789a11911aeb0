import { describe, expect, test } from 'vitest';
import { contractJson, withStatus } from '../../cli/document.ts';
import { estimate, stepsOf } from '../../cli/estimate.ts';
import { newLines, nothingTold } from '../../cli/events.ts';
import { asCliError, EXIT, exitOfStatus } from '../../cli/exit.ts';
import { runInput } from '../../cli/input.ts';
import type { Look } from '../../cli/look.ts';
import { planInput } from '../../cli/plan.ts';
import { names } from '../../cli/registry.ts';
import { clean, duration } from '../../cli/terminal.ts';
import { makeClock } from '../../cli/view.ts';
import { isFinal, RunInput, RunStatus } from '../../schemas/run.ts';
import { StoreError } from '../../store/store.ts';
import { fakeDocument, fakeSummary } from './fixture/document.ts';

const input = RunInput.parse({ recipe: 'star', task: 'addition' });
const document = fakeDocument('r', input, 'done', null, 2);

describe('--json', () => {
  test('has every key of the contract', () => {
    const json = contractJson(document);
    expect(Object.keys(json)).toEqual(
      expect.arrayContaining(
        'runId workflowId status recipe task seed iterations best ledgerDigest weightsDigest fingerprint'.split(' '),
      ),
    );
    expect(Object.keys(json.iterations[0] ?? {})).toEqual(
      expect.arrayContaining('n drawn ledger soundShare dev accuracy seconds trainedOn steps checkpoint'.split(' ')),
    );
    const accuracy = json.iterations[1]?.accuracy;
    expect(Object.keys(accuracy ?? {}).sort()).toEqual(['byStratum', 'ci95', 'n', 'overall', 'unjudged']);
  });

  test('a terminated run is told as terminated, though it could not write that', () => {
    const running = fakeDocument('r', input, 'running', null, 1);
    expect(withStatus(running, 'terminated', 'by hand')).toMatchObject({ status: 'terminated', reason: 'by hand' });
  });
});

describe('exit codes', () => {
  test('are those of the contract', () => {
    const codes = Object.fromEntries(RunStatus.options.map((status) => [status, exitOfStatus(status)]));
    expect(codes).toEqual({
      running: 130,
      paused: 4,
      waiting: 4,
      done: 0,
      stopped: 0,
      failed: 1,
      cancelled: 1,
      terminated: 1,
    });
    expect(RunStatus.options.filter((status) => !isFinal(status))).toEqual(['running', 'paused', 'waiting']);
  });

  test('a store that cannot be reached or written is 3, what nobody foresaw is 1', () => {
    expect(asCliError(new StoreError('StoreReadOnly', 'x')).exit).toBe(EXIT.unreachable);
    expect(asCliError(Object.assign(new Error('x'), { code: 'EROFS' })).exit).toBe(EXIT.unreachable);
    expect(asCliError(new Error('x')).exit).toBe(EXIT.failed);
  });
});

describe('lines', () => {
  const look = (records: number, iteration: number | null, status: RunStatus = 'running'): Look => ({
    workflow: 'RUNNING',
    progress: {
      ...{ runId: 'r', status, recipe: 'star', task: 'addition', seed: 1, iteration, iterations: 3 },
      ...{ child: null, reason: status === 'waiting' ? 'the engine died' : null },
      records: Array.from({ length: records }, (_, n) => fakeSummary(n)),
    },
    stages: null,
    live: [],
    retries: [],
    stuck: null,
  });

  test('each event is told once', () => {
    const told = nothingTold();
    expect(newLines(told, look(0, 0))).toEqual(['iteration 0, the base, begins']);
    expect(newLines(told, look(0, 0))).toEqual([]);
    const lines = newLines(told, look(2, 2));
    expect(lines.map((line) => line.split(' ·')[0])).toEqual([
      'iteration 0 sealed',
      'iteration 1 sealed',
      'iteration 2 of 3 begins',
    ]);
    expect(newLines(told, look(2, 2, 'waiting'))).toEqual(['waiting: the engine died']);
  });

  test('an absent store is told once with its cure, however often shards try, and its return too', () => {
    const told = nothingTold();
    newLines(told, look(0, 0));
    const away = (attempt: number, stage = 'generate') => ({
      ...look(0, 0),
      retries: [{ stage, attempt, message: `StoreUnreachable: the store s3://b/ for ${attempt} s. Start it again.` }],
    });
    expect(newLines(told, away(2))).toEqual([
      'waiting for the store · StoreUnreachable: the store s3://b/ for 2 s. Start it again.',
    ]);
    expect([...newLines(told, away(3)), ...newLines(told, away(2, 'verify'))]).toEqual([]);
    expect(newLines(told, look(0, 0))).toEqual(['the store answers again']);
    expect(newLines(told, away(2))).toHaveLength(1);
  });

  test('what a model says cannot steer the terminal', () => {
    expect(clean('a\u001b[31mb\u0007\u009bc\n')).toBe('a[31mbc\n');
  });

  test('time left is told once there is something to tell it from', () => {
    let now = 0;
    const clock = makeClock(() => now);
    expect(clock('free', 0.1)).toBeNull();
    now = 10;
    expect(clock('free', 0.6)).toBeCloseTo(8);
    expect(duration(3_725)).toBe('1 h 2 min');
  });
});

describe('estimates', () => {
  test('steps follow the rule, sizes grow with the run', async () => {
    expect([1, 2, 3].map((n) => stepsOf({ first: 300, growth: 1, add: 20 }, n))).toEqual([300, 320, 340]);
    const of = async (iterations: number) => estimate(await planInput(runInput('star', { iterations }, names())), []);
    const [two, four] = [await of(2), await of(4)];
    expect(four.seconds).toBeGreaterThan(two.seconds);
    expect(four.diskBytes).toBeGreaterThan(two.diskBytes);
    expect(two.speed).toBe('arithmetic');
  });
});
