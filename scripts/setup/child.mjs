/**
 * Runs a command to its end with a time limit, keeping the end of what it printed for the error sentence.
 *
 * Nothing is written to this process's stdout: `startrail … --json` may be waiting for it.
 */
import { spawn, spawnSync } from 'node:child_process';

const running = new Set();
/**
 * From now on a signal ends set-up by way of its 'exit' listeners, which end children, release locks and remove temporary
 * folders. The returned function undoes that: `bin/startrail` goes on in the same process with signals of its own.
 */
export const endOnSignals = () => {
  const killAll = () => {
    for (const child of running) child.kill('SIGKILL');
  };
  const handlers = Object.entries({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }).map(([signal, code]) => [
    signal,
    () => process.exit(code),
  ]);
  process.once('exit', killAll);
  for (const [signal, handler] of handlers) process.once(signal, handler);
  return () => {
    process.removeListener('exit', killAll);
    for (const [signal, handler] of handlers) process.removeListener(signal, handler);
  };
};

/**
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, timeoutMs: number, shell?: boolean, onStart?: (pid: number) => void }} options
 * @returns {Promise<{ ok: boolean, missing: boolean, timedOut: boolean, stdout: string, output: string, why: string }>}
 *   `missing`: there is no such command. `why`: one line on what went wrong, empty where nothing did.
 */
export const run = (command, args, { cwd, env, timeoutMs, shell = false, onStart }) =>
  new Promise((resolve) => {
    let child;
    try {
      child = spawn(command, args, { cwd, env: env ?? process.env, shell, stdio: ['ignore', 'pipe', 'pipe'] });
    } catch (error) {
      resolve({
        ok: false,
        missing: true,
        timedOut: false,
        stdout: '',
        output: '',
        why: String(error.message ?? error),
      });
      return;
    }
    running.add(child);
    if (child.pid !== undefined) onStart?.(child.pid);
    let stdout = '';
    let output = '';
    const keep = (text, chunk) => (text + chunk).slice(-64_000);
    child.stdout.on('data', (chunk) => {
      stdout = keep(stdout, chunk);
      output = keep(output, chunk);
    });
    child.stderr.on('data', (chunk) => (output = keep(output, chunk)));
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
      child.stdout.destroy(); // a grandchild may hold the pipe open
      child.stderr.destroy();
    }, timeoutMs);
    const finish = (ok, missing, why) => {
      clearTimeout(timer);
      running.delete(child);
      resolve({ ok, missing, timedOut, stdout, output, why });
    };
    child.once('error', (error) => finish(false, error.code === 'ENOENT', error.message));
    child.once('close', (code, signal) => {
      if (timedOut) finish(false, false, `no end after ${Math.round(timeoutMs / 1000)} s`);
      else if (code === 0) finish(true, false, '');
      else finish(false, false, `${lastWords(output) || 'no output'} (${signal ?? `exit code ${code}`})`);
    });
  });

/**
 * The line that most likely says why: what npm puts first, else the last "error: something", else the last that smells of one,
 * else the last.
 */
export const lastWords = (output) => {
  const lines = output
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/complete log of this run|npm warn|^at /i.test(line));
  const npm = lines.filter((line) => /^npm error \S/.test(line)).map((line) => line.slice('npm error '.length));
  if (npm.length > 0) return npm.slice(0, 3).join(', ').slice(0, 300);
  const telling = lines.filter((line) => /(error|fatal)\w*: +\S/i.test(line));
  const hinting = lines.filter((line) => /error|fatal|refused|denied|cannot|could not/i.test(line));
  return (telling.at(-1) ?? hinting.at(-1) ?? lines.at(-1) ?? '').slice(0, 300);
};

/** Does the command exist and answer `--version`-like arguments? */
export const answers = (command, args, env = process.env) => {
  const { status } = spawnSync(command, args, { stdio: 'ignore', env, timeout: 30_000 });
  return status === 0;
};
