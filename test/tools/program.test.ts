/** Programs as a tool: what they say, what the process around them may do, and whose fault it is when that ends. */
import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { createProgramRunner, ToolUnavailable } from '../../tools/program.ts';
import { alive } from '../support/processes.ts';

const runner = createProgramRunner();
afterAll(() => runner.close());

const goneSoon = async (pid: number): Promise<boolean> => {
  for (let n = 0; n < 100 && alive(pid); n++) await sleep(50);
  return !alive(pid);
};

describe('a program', () => {
  it.each([
    ['print(347 * 582)', '201954'],
    ['347 * 582 + 913', '202867'],
    ["console.log('a', 1); print([1, 2]); 5", 'a 1\n1,2'],
    ['const p = [2, 3, 5]; p.map((x) => x ** 2).reduce((a, b) => a + b)', '38'],
    ['12345678901234567890n * 98765432109876543210n', '1219326311370217952237463801111263526900'],
    ['Promise.resolve(3).then((x) => print(x + 1))', '4'],
    ['let x = 1', ''],
    ['', ''],
    ['1 +', "error: SyntaxError: unexpected token in expression: ''"],
    ['undefinedFunction()', "error: ReferenceError: 'undefinedFunction' is not defined"],
    ["throw new TypeError('line one\\nline two')", 'error: TypeError: line one line two'],
  ])('%s says %s', async (program, text) => {
    expect(await runner.run(program)).toBe(text);
  });

  it('finds nothing of the program before it', async () => {
    await runner.run('globalThis.left = 1; Object.prototype.left = 2; var kept = 3; Math.random()');
    expect(await runner.run('print(typeof left, typeof kept, ({}).left)')).toBe('undefined undefined undefined');
  });

  it('draws the same random numbers in every process', async () => {
    const other = createProgramRunner();
    const program = 'print(Math.random(), Math.random(), Date.now(), new Date())';
    const said = await runner.run(program);
    expect(await runner.run(program)).toBe(said);
    expect(await other.run(program)).toBe(said);
    other.close();
  });
});

describe('the process around it', () => {
  it('is ended and replaced when it is killed in the middle: the program is run again', async () => {
    await runner.run('1');
    const before = runner.pid()!;
    const running = runner.run('let n = 0; for (let i = 0; i < 2e5; i++) n += i; print(n)');
    process.kill(before, 'SIGKILL');
    expect(await running).toBe('19999900000');
    expect(runner.pid()).not.toBe(before);
  });

  it('that does not start is an outage, never a result', async () => {
    const broken = createProgramRunner({ execPath: '/bin/false' });
    await expect(broken.run('1')).rejects.toThrow(ToolUnavailable);
    const missing = createProgramRunner({ execPath: '/no/such/node' });
    await expect(missing.run('1')).rejects.toThrow(/ENOENT/);
  });

  it('ends when it is cancelled, with the reason of the signal', async () => {
    const own = createProgramRunner();
    await own.run('1');
    const pid = own.pid()!;
    const stop = new AbortController();
    const running = own.run('Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)', { signal: stop.signal });
    setTimeout(() => stop.abort(new Error('enough')), 100);
    await expect(running).rejects.toThrow('enough');
    expect(await goneSoon(pid)).toBe(true);
    expect(await own.run('2')).toBe('2');
    own.close();
  });

  it('ends with its parent, also in the middle of a loop', async () => {
    const script = `
      const { createProgramRunner } = await import(${JSON.stringify(new URL('../../tools/program.ts', import.meta.url).href)});
      const runner = createProgramRunner();
      await runner.run('1');
      runner.run('Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)');
      setTimeout(() => { console.log(runner.pid()); process.kill(process.pid, 'SIGKILL'); }, 300);
    `;
    const { stdout } = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    const pid = Number(stdout.trim());
    expect(pid).toBeGreaterThan(0);
    expect(await goneSoon(pid)).toBe(true);
  }, 60_000);
});
