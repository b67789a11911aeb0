import { rmSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { homePaths } from '../../cli/home.ts';
import { cleanUp, cli, left, ownerOf, ready, tempHome, until } from './fixture/process.ts';

afterAll(cleanUp, 60_000);
const LONG = 120_000;
const BEHAVIOURS = ['ok', 'slow', 'wait', 'fail', 'invalid', 'stuck'];
const behave = (how: string) => ['--seed', String(100 + BEHAVIOURS.indexOf(how))];

describe('a run, followed', () => {
  test(
    'done is 0 with one JSON document; it can be shown when the server has forgotten it; its id is taken',
    async () => {
      const home = tempHome();
      const run = cli(home, 'run', 'addition', '--json', '--run-id', 'a', '--iterations', '1');
      expect(await run.exited, run.err()).toBe(0);
      expect(JSON.parse(run.out())).toMatchObject({ runId: 'a', status: 'done', iterations: [{ n: 0 }, { n: 1 }] });
      expect(run.err()).toContain('iteration 1 sealed');
      expect(left(home)).toEqual([]);

      for (const suffix of ['', '-wal', '-shm']) rmSync(homePaths(home).database + suffix, { force: true });
      const again = cli(home, 'run', 'addition', '--json', '--run-id', 'a');
      expect(await again.exited).toBe(2);
      expect(JSON.parse(again.out())).toMatchObject({ error: { code: 'RunExists' } });

      const show = cli(home, 'show', 'a', '--json');
      expect(await show.exited).toBe(0);
      expect(JSON.parse(show.out())).toMatchObject({ runId: 'a', status: 'done' });
      const list = cli(home, 'list', '--json');
      expect(await list.exited).toBe(0);
      expect(JSON.parse(list.out())).toMatchObject([{ runId: 'a', status: 'done' }]);
    },
    LONG,
  );

  test(
    'waiting is 4; abandoning ends it, also where nobody owns the home; then it is 1',
    async () => {
      const home = tempHome();
      const run = cli(home, 'run', 'addition', '--run-id', 'w', '--json', ...behave('wait'));
      expect(await run.exited, run.err()).toBe(4);
      expect(JSON.parse(run.out())).toMatchObject({
        status: 'waiting',
        reason: expect.stringContaining('died') as string,
      });
      const resume = cli(home, 'resume', 'w', '--json');
      expect(await resume.exited).toBe(2);
      expect(JSON.parse(resume.out())).toMatchObject({ error: { code: 'Refused' } });
      const abandon = cli(home, 'abandon', 'w', '--json');
      expect(await abandon.exited, abandon.err()).toBe(0);
      expect(JSON.parse(abandon.out())).toMatchObject({ status: 'failed' });
      const watch = cli(home, 'watch', 'w', '--json');
      expect(await watch.exited).toBe(1);
      const pause = cli(home, 'pause', 'w', '--json');
      expect(await pause.exited).toBe(2);
      expect(left(home)).toEqual([]);
    },
    LONG,
  );

  test(
    'a run that waits is tried again, and ends well',
    async () => {
      const home = tempHome();
      const run = cli(home, 'run', 'addition', '--run-id', 't', '--iterations', '1', '--json', ...behave('wait'));
      expect(await run.exited, run.err()).toBe(4);
      const retry = cli(home, 'retry', 't', '--json', '--set', 'stages.free.with.samples=2');
      expect(await retry.exited, retry.err()).toBe(0);
      expect(JSON.parse(retry.out())).toMatchObject({ runId: 't', did: 'retryIteration' });
      const watch = cli(home, 'watch', 't', '--json');
      expect(await watch.exited, watch.err()).toBe(0);
      expect(JSON.parse(watch.out())).toMatchObject({ status: 'done', iterations: [{ n: 0 }, { n: 1 }] });
    },
    LONG,
  );

  test(
    'bad input that only the worker sees is 2, a failed run is 1',
    async () => {
      const home = tempHome();
      const invalid = cli(home, 'run', 'addition', '--json', ...behave('invalid'));
      expect(await invalid.exited).toBe(2);
      expect(JSON.parse(invalid.out())).toMatchObject({ error: { code: 'InvalidInput' } });
      const failed = cli(home, 'run', 'addition', '--json', ...behave('fail'));
      expect(await failed.exited).toBe(1);
      expect(JSON.parse(failed.out())).toMatchObject({ status: 'failed', failure: { code: 'TrainingDiverged' } });
    },
    LONG,
  );

  test(
    'a workflow task that keeps failing is told within 10 s, and stop --now ends it',
    async () => {
      const home = tempHome();
      const run = cli(home, 'run', 'addition', '--run-id', 's', ...behave('stuck'));
      await until('a start', 40_000, () => run.out().includes('run s started'));
      await until('a ready worker', 40_000, () => ownerOf(home)?.state === 'ready');
      await until('the trouble', 15_000, () => run.out().includes('broken on purpose'));
      const show = cli(home, 'show', 's', '--json');
      expect(await show.exited, show.err()).toBe(0);
      expect(JSON.parse(show.out())).toMatchObject({ stuck: expect.stringContaining('broken on purpose') as string });
      const stop = cli(home, 'stop', 's', '--now', '--json');
      expect(await stop.exited, stop.err()).toBe(0);
      expect(JSON.parse(stop.out())).toMatchObject({ status: 'terminated' });
      expect(await run.exited).toBe(1);
    },
    LONG,
  );

  test(
    'a second terminal steers and follows; when the owner is killed it takes its place and the run ends well',
    async () => {
      const home = tempHome();
      const run = cli(home, 'run', 'addition', '--run-id', 'b', '--iterations', '1', ...behave('slow'));
      await ready(home);
      await until('a start', 20_000, () => run.out().includes('iteration 0'));
      const paused = cli(home, 'pause', 'b', '--json');
      expect(await paused.exited, paused.err()).toBe(0);
      expect(await run.exited).toBe(4); // not a terminal: it returns when the run is paused
      const watch = cli(home, 'resume', 'b');
      expect(await watch.exited, watch.err()).toBe(0);

      const owner = cli(home, 'up');
      await until('an owner', 40_000, () => ownerOf(home)?.pid === owner.child.pid && ownerOf(home)?.state === 'ready');
      const follower = cli(home, 'watch', 'b', '--json');
      await until('a look', 30_000, () => follower.err().includes('iteration'));
      owner.child.kill('SIGKILL');
      expect(await follower.exited, follower.err()).toBe(0);
      expect(follower.err()).toContain('takes its place');
      expect(JSON.parse(follower.out())).toMatchObject({ runId: 'b', status: 'done' });
      expect(left(home)).toEqual([]);
    },
    LONG,
  );

  test(
    'Ctrl-C detaches with 130 and says how to come back; watch goes on with the run',
    async () => {
      const home = tempHome();
      const run = cli(home, 'run', 'addition', '--run-id', 'c', '--iterations', '1', ...behave('slow'));
      await until('a start', 60_000, () => run.out().includes('iteration 0'));
      run.child.kill('SIGINT');
      expect(await run.exited).toBe(130);
      expect(run.out()).toContain('./bin/startrail watch c');
      expect(left(home)).toEqual([]);
      const watch = cli(home, 'watch', 'c', '--json');
      expect(await watch.exited, watch.err()).toBe(0);
      expect(JSON.parse(watch.out())).toMatchObject({ status: 'done' });
    },
    LONG,
  );
});
