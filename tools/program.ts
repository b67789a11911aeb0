/**
 * Programs that a model wrote, run in a process that is kept for nothing else.
 *
 *   const runner = createProgramRunner();
 *   await runner.run('print(347 * 582)')            // '201954'
 *   await runner.run('while (true);')               // 'error: it takes too many steps'
 *   runner.close();
 *
 * Three walls, one behind the other: QuickJS knows no file, socket, process or module; it is WebAssembly in a memory of its own;
 * and the process around it has an empty environment, may read its own code and nothing else, write nothing and start nothing
 * (Node's permission model, which does not cover the network before Node 25). See tools/sandbox.mjs.
 *
 * What a program does wrong or takes too much of is told in its result, deterministically. Trouble of the process itself rejects
 * with {@link ToolUnavailable}, and is never a result. One program at a time; the process starts with the first.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** What one program may take. `steps`: of ten thousand instructions or so; all but the last three are counted by QuickJS itself. */
export const PROGRAM_LIMITS = {
  steps: 400,
  memoryBytes: 16 * 2 ** 20,
  stackBytes: 128 * 2 ** 10,
  outputChars: 400,
  errorChars: 120,
  /** Promise callbacks behind the program's end. */
  jobs: 1_000,
  /** Processor time, for built-in loops that count no steps. */
  processorMs: 2_000,
  /** Of the whole process, beyond what it takes when it starts. */
  processBytes: 512 * 2 ** 20,
} as const;
/** Longer than its processor time takes on a machine that does much else. */
const WITHIN_MS = 200_000;

/** The process's last word, when one of the last two ended it. */
const WORDS = { processor: 'startrail: the processor time is used up', memory: 'startrail: the memory is used up' };
const ENDED = { processor: 'error: it takes too long', memory: 'error: it takes too much memory' };

/** The sandbox did not run a program, whatever the program is. Retryable. */
export class ToolUnavailable extends Error {
  override readonly name = 'ToolUnavailable';
  readonly code = 'ToolUnavailable';
}

export interface ProgramRunner {
  /** What it printed, else its last value; `error: …` where it is at fault. @throws ToolUnavailable; the signal's reason. */
  run(program: string, options?: { signal?: AbortSignal | undefined }): Promise<string>;
  close(): void;
  /** Of the process, while there is one. */
  pid(): number | undefined;
}

type FromSandbox = { ready: true } | { id: number; text: string };

/** @param execPath another Node, for tests. */
export function createProgramRunner({ execPath = process.execPath } = {}): ProgramRunner {
  let child: ChildProcess | undefined;
  let stderr = '';
  let lastId = 0;
  let last: Promise<unknown> = Promise.resolve();

  const close = () => {
    child?.kill('SIGKILL');
    child = undefined;
  };

  const start = (): ChildProcess => {
    if (child) return child;
    stderr = '';
    const limits = JSON.stringify({ ...PROGRAM_LIMITS, words: WORDS });
    const started = spawn(execPath, [...walls(), SANDBOX, limits], {
      stdio: ['pipe', 'ignore', 'pipe', 'ipc'],
      // Nothing of the parent's; local time is no business of a program.
      env: { TZ: 'UTC' },
      cwd: path.dirname(SANDBOX),
    });
    started.stdin?.on('error', () => undefined);
    started.stderr?.on('data', (bytes: Buffer) => (stderr = (stderr + bytes.toString()).slice(-4_000)));
    // Nothing waits for an idle one: neither does the end of its parent.
    for (const handle of [started, started.channel, started.stdin, started.stderr] as ({ unref?(): void } | null)[])
      handle?.unref?.();
    started.on('exit', () => {
      if (child === started) child = undefined;
    });
    return (child = started);
  };

  /** The program's text, or why the process ended in the middle of it. */
  const once = (program: string, signal: AbortSignal | undefined): Promise<{ text: string } | { ended: string }> =>
    new Promise((resolve, reject) => {
      const id = ++lastId;
      const running = start();
      const settle = (how: () => void) => {
        clearTimeout(late);
        running.off('message', hear).off('close', ended).off('error', failed);
        signal?.removeEventListener('abort', cancel);
        how();
      };
      const hear = (message: FromSandbox) => {
        if ('id' in message && message.id === id) settle(() => resolve({ text: message.text }));
      };
      const ended = (code: number | null, how: NodeJS.Signals | null) =>
        settle(() => resolve({ ended: `${how ?? `exit code ${code}`}. ${stderr}` }));
      const failed = (error: Error) => {
        close();
        settle(() => resolve({ ended: error.message }));
      };
      const cancel = () => {
        close();
        settle(() => reject(signal?.reason as Error));
      };
      const late = setTimeout(() => {
        close();
        settle(() => resolve({ ended: `no word for ${WITHIN_MS} ms` }));
      }, WITHIN_MS);
      running.on('message', hear).on('close', ended).on('error', failed);
      signal?.addEventListener('abort', cancel, { once: true });
      // A failed send means that the process is ending, and its end settles this.
      running.send({ id, program }, () => undefined);
    });

  const run = async (program: string, signal: AbortSignal | undefined): Promise<string> => {
    let why = '';
    for (let attempt = 0; attempt < 2; attempt++) {
      signal?.throwIfAborted();
      const found = await once(program, signal);
      if ('text' in found) return found.text;
      why = found.ended;
      // Its own time, whatever came before it.
      if (why.includes(WORDS.processor)) return ENDED.processor;
      // A process that ends otherwise may have been brought down by what came before; a fresh one says whose fault it is.
    }
    if (why.includes(WORDS.memory)) return ENDED.memory;
    throw new ToolUnavailable(
      `the process that runs programs ended twice (${why.trim()}); it is tried again, see docs/howto/methods.md if it goes on`,
    );
  };

  return {
    run(program, { signal } = {}) {
      const mine = last.then(() => run(program, signal));
      last = mine.catch(() => undefined);
      return mine;
    },
    close,
    pid: () => child?.pid,
  };
}

const SANDBOX = realpathSync(fileURLToPath(new URL('./sandbox.mjs', import.meta.url)));

/** What keeps the process from files and other processes, by the names that this Node has for it. */
function walls(): string[] {
  const flags = process.allowedNodeEnvironmentFlags;
  const permission = ['--permission', '--experimental-permission'].find((flag) => flags.has(flag));
  const packages = realpathSync(createRequire(import.meta.url).resolve('quickjs-emscripten-core'));
  const modules = packages.slice(
    0,
    packages.lastIndexOf(`${path.sep}node_modules${path.sep}`) + '/node_modules'.length,
  );
  return [
    '--no-warnings',
    '--max-old-space-size=64',
    // QuickJS is to notice first that a program recurses too deeply.
    '--stack-size=3000',
    ...(permission === undefined
      ? []
      : [
          permission,
          // The thread that watches it.
          '--allow-worker',
          `--allow-fs-read=${path.dirname(SANDBOX)}${path.sep}*`,
          `--allow-fs-read=${modules}${path.sep}*`,
        ]),
  ];
}
