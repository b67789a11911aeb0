/**
 * Python for the peers, in a virtual environment of the bench alone: the product never needs it.
 *
 *   const interpreter = await python(say);                    // torch and transformers are there
 *   await python(say, ['llama-cpp-python', 'gguf']);          // and these
 *
 * It lies in the cache (`$XDG_CACHE_HOME/startrail-bench-venv`) and is made on first use: some 2 minutes and 5 GB. A folder
 * beside it (`….lock`) keeps two benches from making it at once; one left by a killed bench is taken over after a while.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const BASE = ['torch', 'transformers'];
/** The owner touches its lock every few seconds. */
const STALE_MS = 60_000;
const TOUCH_MS = 5_000;

/** Python is missing, too old, or pip failed; the message says what to do. */
export class PythonMissing extends Error {
  override readonly name = 'PythonMissing';
}

export function venvFolder(env: NodeJS.ProcessEnv = process.env): string {
  // As the XDG rules have it, a relative path is ignored.
  const cache = path.isAbsolute(env.XDG_CACHE_HOME ?? '') ? env.XDG_CACHE_HOME! : path.join(os.homedir(), '.cache');
  return path.join(cache, 'startrail-bench-venv');
}

const interpreterOf = (folder: string) =>
  process.platform === 'win32' ? path.join(folder, 'Scripts', 'python.exe') : path.join(folder, 'bin', 'python');

/** Module names of packages where they differ. */
const MODULES: Record<string, string> = { 'llama-cpp-python': 'llama_cpp' };

export const has = async (interpreter: string, packages: readonly string[]): Promise<boolean> => {
  // Looked for, not imported: importing torch takes seconds.
  const names = packages.map((name) => MODULES[name] ?? name.replaceAll('-', '_'));
  const program = `import importlib.util, sys; sys.exit(not all(map(importlib.util.find_spec, ${JSON.stringify(names)})))`;
  return run(interpreter, ['-c', program]).then(
    () => true,
    () => false,
  );
};

/**
 * @returns the interpreter of an environment that holds torch, transformers and `more`.
 * @throws PythonMissing
 */
export async function python(say: (line: string) => void, more: readonly string[] = []): Promise<string> {
  const folder = venvFolder();
  const interpreter = interpreterOf(folder);
  const packages = [...BASE, ...more];
  if (await has(interpreter, packages)) return interpreter;
  return withLock(`${folder}.lock`, say, async () => {
    // Another bench may have made it while we waited.
    if (await has(interpreter, packages)) return interpreter;
    if (!(await has(interpreter, ['pip']))) {
      say(`making a Python environment in ${folder}`);
      await make(folder);
    }
    say(`installing ${packages.join(', ')} into it; minutes, and gigabytes, the first time`);
    await install(interpreter, packages);
    return interpreter;
  });
}

async function make(folder: string): Promise<void> {
  const found = process.env.STARTRAIL_BENCH_PYTHON ?? 'python3';
  try {
    await run(found, ['-m', 'venv', '--clear', folder]);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw new PythonMissing(
      `\`${found} -m venv\` failed (${reason(error)}). The peers of the bench need Python 3.10 or newer with venv: install ` +
        `it (Debian, Ubuntu: apt install python3 python3-venv), or name another one in STARTRAIL_BENCH_PYTHON.`,
    );
  }
}

async function install(interpreter: string, packages: readonly string[]): Promise<void> {
  const wheels = `${venvFolder().replace(/-venv$/, '')}-wheels`;
  // What had to be compiled is kept as a wheel: a new environment does not compile it again.
  const links = existsSync(wheels) ? ['--find-links', wheels] : [];
  try {
    await run(interpreter, ['-m', 'pip', 'install', '--quiet', ...links, ...packages], { maxBuffer: 64e6 });
  } catch (error) {
    throw new PythonMissing(
      `pip could not install ${packages.join(', ')} (${reason(error)}). Look whether the network and 6 GB of disk are there ` +
        `and run the bench again; rows without a Python peer run as they are.`,
    );
  }
}

/** Runs `work` alone among benches. */
export async function withLock<T>(lock: string, say: (line: string) => void, work: () => Promise<T>): Promise<T> {
  mkdirSync(path.dirname(lock), { recursive: true });
  for (let told = false; !take(lock); told = true) {
    if (!told) say(`another bench is making the Python environment; waiting (${lock})`);
    await sleep(1_000);
  }
  const touch = setInterval(() => {
    const now = new Date();
    try {
      utimesSync(lock, now, now);
    } catch {
      // Taken over by another bench, which thought us dead: pip holds its own.
    }
  }, TOUCH_MS);
  try {
    return await work();
  } finally {
    clearInterval(touch);
    rmSync(lock, { recursive: true, force: true });
  }
}

function take(lock: string): boolean {
  try {
    mkdirSync(lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const touched = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
  if (Date.now() - touched > STALE_MS) rmSync(lock, { recursive: true, force: true });
  return false;
}

function reason(error: unknown): string {
  const { stderr, code, message } = error as { stderr?: string; code?: string | number; message?: string };
  const last = stderr?.trim().split('\n').at(-1);
  return last || (code === 'ENOENT' ? 'no such program' : (message ?? String(error)).split('\n')[0]!);
}
