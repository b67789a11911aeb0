/**
 * A task's verifier in a child process: one that hangs without giving the loop back, crashes or fills the memory costs one
 * row, never the worker.
 *
 *   const verifier = takeVerifier(task.modules[0], { memoryMb: 512 });
 *   await verifier.judge(problem, text, { timeoutMs: 10_000, signal });
 *   verifier.release();          // kept for the next shard, and ended when nobody comes
 *
 * One row at a time. Limits: against accidents, not against ill will: the verifier is the task's own code and could write to
 * its own files. One that runs what a model wrote keeps a child with limits of its own besides.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { withoutSecrets } from '../schemas/environment.ts';
import type { Problem } from '../schemas/problem.ts';
import type { Verdict } from '../schemas/verdict.ts';
import { noVerdictWithin } from './judge.ts';
import type { RowFound, RowOptions } from './judge.ts';

export interface ToVerifier {
  id: number;
  problem: Problem;
  text: string;
  timeoutMs: number;
  known?: Verdict;
  vote?: boolean;
}
export type FromVerifier = { ready: true } | ({ id: number } & RowFound);

export interface HostedVerifier {
  /** Rejects only when cancelled, or when the task's module can't be loaded. */
  judge(problem: Problem, text: string, options: RowOptions): Promise<RowFound>;
  release(): void;
}

/** The child's last word when its memory is used up. */
export const OUT_OF_MEMORY = 'startrail: the memory allowed is used up';
/** The child's own clock comes first where the verifier gives the loop back; this is for one that does not. */
const GRACE_MS = 500;
const IDLE_MS = 30_000;
const LAST_WORD_MS = 300;

class Hosted implements HostedVerifier {
  #child: ChildProcess | undefined;
  #ready: Promise<void> | undefined;
  #stderr = '';
  #id = 0;
  #idle: NodeJS.Timeout | undefined;

  constructor(
    private readonly module: string,
    private readonly memoryMb: number,
    private readonly onRelease: (self: Hosted) => void,
    private readonly onEnd: (self: Hosted) => void,
  ) {}

  async judge(problem: Problem, text: string, { timeoutMs, signal, known, vote }: RowOptions): Promise<RowFound> {
    signal?.throwIfAborted();
    const child = this.#ensure();
    await this.#ready;
    const id = ++this.#id;
    const unjudged = (cause: string): RowFound => ({ verdict: known ?? { verdict: 'unjudged', cause }, steps: null });
    let settle: (found: RowFound) => void = () => undefined;
    let fail: (reason: unknown) => void = () => undefined;
    const found = new Promise<RowFound>((resolve, reject) => {
      settle = resolve;
      fail = reject;
    });
    const hear = (message: FromVerifier) => {
      if (!('id' in message) || message.id !== id) return;
      const { id: _, ...row } = message;
      settle(row);
    };
    // Its last word may come a moment after its end.
    const ended = (code: number | null, how: NodeJS.Signals | null) =>
      void Promise.race([once(child.stderr as Readable, 'close'), sleep(LAST_WORD_MS)]).then(() =>
        settle(unjudged(this.#whyEnded(code, how))),
      );
    const cancel = () => {
      fail(signal?.reason);
      this.end();
    };
    const late = setTimeout(() => {
      settle(unjudged(noVerdictWithin(timeoutMs)));
      this.end();
    }, timeoutMs + GRACE_MS);
    child.on('message', hear).once('exit', ended);
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      // A failed send means that the child is ending: its exit settles the row.
      if (child.exitCode !== null || child.signalCode !== null) ended(child.exitCode, child.signalCode);
      else {
        const asked: ToVerifier = { id, problem, text, timeoutMs, ...(known && { known }), ...(vote && { vote }) };
        child.send(asked, () => undefined);
      }
      return await found;
    } finally {
      clearTimeout(late);
      child.off('message', hear).off('exit', ended);
      signal?.removeEventListener('abort', cancel);
    }
  }

  release(): void {
    this.#idle = setTimeout(() => this.end(), IDLE_MS).unref();
    this.onRelease(this);
  }

  take(): this {
    clearTimeout(this.#idle);
    return this;
  }

  end(): void {
    const child = this.#child;
    this.#child = undefined;
    child?.kill('SIGKILL');
    this.onEnd(this);
  }

  /** Says the same whoever noticed first, the heap's own limit or the watch: a cause stands in the ledger. */
  #whyEnded(code: number | null, signal: NodeJS.Signals | null): string {
    if (this.#stderr.includes(OUT_OF_MEMORY) || this.#stderr.includes('heap out of memory'))
      return `the verifier ran out of memory (${this.memoryMb} MB allowed)`;
    return `the verifier's process ended (${signal ?? `exit code ${code}`})`;
  }

  #ensure(): ChildProcess {
    if (this.#child) return this.#child;
    this.#stderr = '';
    const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
    const script = fileURLToPath(new URL('./child.ts', import.meta.url));
    const child = spawn(
      process.execPath,
      [`--max-old-space-size=${this.memoryMb}`, '--import', tsx, script, this.module, String(this.memoryMb)],
      { stdio: ['pipe', 'ignore', 'pipe', 'ipc'], env: withoutSecrets(process.env) },
    );
    this.#child = child;
    child.stdin?.on('error', () => undefined);
    child.stderr?.on('data', (bytes: Buffer) => (this.#stderr = (this.#stderr + bytes.toString()).slice(-4000)));
    child.on('error', () => undefined);
    // Nothing waits for an idle child: neither does the end of its parent.
    for (const handle of [child, child.channel, child.stdin, child.stderr] as ({ unref?(): void } | null)[])
      handle?.unref?.();
    this.#ready = new Promise((resolve, reject) => {
      child.once('message', () => resolve());
      child.once('error', reject);
      child.once('exit', () =>
        reject(new Error(`the verifier's process did not start: ${this.module}\n${this.#stderr.slice(-500)}`)),
      );
    });
    this.#ready.catch(() => undefined);
    child.once('exit', () => {
      if (this.#child === child) this.#child = undefined;
    });
    return child;
  }
}

const idle = new Map<string, Hosted[]>();

/** One for the caller alone until it is released; nobody else's rows wait behind a verifier that hangs. */
export function takeVerifier(module: URL, { memoryMb }: { memoryMb: number }): HostedVerifier {
  const key = `${memoryMb} ${module.href}`;
  const free = idle.get(key) ?? [];
  idle.set(key, free);
  const one = free.pop();
  if (one) return one.take();
  return new Hosted(
    module.href,
    memoryMb,
    (self) => free.push(self),
    (self) => {
      const at = free.indexOf(self);
      if (at >= 0) free.splice(at, 1);
    },
  );
}
