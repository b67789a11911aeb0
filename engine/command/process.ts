/**
 * One call of a program that trains or serves: lines of its standard output as they come, cancel by SIGTERM and then SIGKILL, an end to one
 * that says nothing for too long, and the last words of one that failed.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { withoutSecrets } from '../../schemas/environment.ts';
import { EngineError } from '../engine.ts';

export interface CallOptions {
  command: readonly string[];
  args: readonly string[];
  /** No line for so long ⇒ it is ended; absent = it may be silent. */
  hungAfterMs?: number;
  onLine: (line: string) => void;
  signal: AbortSignal;
  /** For messages. */
  name: string;
}

/** How long one that was told to end may take. */
const GRACE_MS = 5_000;
const LAST_WORDS = 5;

/** Resolves when the program ended with 0. Rejects with EngineDied, EngineHung, EngineUnavailable or the signal's reason. */
export async function call({ command, args, hungAfterMs, onLine, signal, name }: CallOptions): Promise<void> {
  signal.throwIfAborted();
  const [program = '', ...first] = command;
  const child = spawn(program, [...first, ...args], { env: withoutSecrets(process.env), stdio: 'pipe' });
  child.stdin.on('error', () => undefined);
  const words: string[] = [];
  const hear = (line: string) => {
    if (line.trim() !== '') words.push(line.trim());
    if (words.length > LAST_WORDS) words.shift();
  };
  createInterface({ input: child.stderr }).on('line', hear);

  let why: Error | undefined;
  let kill: NodeJS.Timeout | undefined;
  let hung: NodeJS.Timeout | undefined;
  const end = (reason: Error) => {
    why ??= reason;
    child.kill('SIGTERM');
    kill ??= setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
  };
  const alive = () => {
    if (hungAfterMs === undefined) return;
    clearTimeout(hung);
    const fault = new EngineError(
      'EngineHung',
      `engine ${name}: ${program} said nothing for ${hungAfterMs} ms and was ended`,
    );
    hung = setTimeout(() => end(fault), hungAfterMs);
  };
  const onAbort = () => end(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  alive();
  createInterface({ input: child.stdout }).on('line', (line) => {
    alive();
    try {
      onLine(line);
    } catch (error) {
      end(error as Error);
    }
  });
  try {
    const [code, killedBy] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.once('error', (error: NodeJS.ErrnoException) =>
        reject(
          new EngineError(
            'EngineUnavailable',
            `engine ${name}: ${program} cannot be started (${error.code}); correct its command in the settings`,
          ),
        ),
      );
      child.once('close', (...how) => resolve(how));
    });
    if (why !== undefined) throw why;
    if (code !== 0)
      throw new EngineError(
        'EngineDied',
        `engine ${name}: ${program} ended with ${killedBy ?? `exit code ${code}`}; its last words: ${words.join(' | ') || 'none'}`,
      );
  } finally {
    clearTimeout(kill);
    clearTimeout(hung);
    signal.removeEventListener('abort', onAbort);
  }
}
