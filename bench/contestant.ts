/**
 * One side of a comparison: a process that stays, so that loading, compiling and warming up are over before anything is
 * measured, and that does a slice of work each time it is told to.
 *
 *   const torch = await Contestant.start('torch', 'python', ['bench/peers/train_torch.py', 'order.json']);
 *   const { tokens, seconds } = await torch.slice(0);
 *   await torch.end();
 *
 * The protocol is a line of JSON each way, over standard input and output:
 *
 *   child → { "ready": { "name": "PyTorch 2.15 eager", … } }       once
 *   parent → { "slice": 3 }     child → { "tokens": 46080, "seconds": 1.02 }
 *   child → { "error": "why" }                                     at any time; it then ends
 *
 * Ours speak it through `bench/ours/slices.ts`, Python peers through `bench/peers/slices.py`. A child ends when its input does.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { z } from 'zod';

const Facts = z.object({ name: z.string() }).catchall(z.union([z.string(), z.number()]));
/** `name` and what else a side tells about itself. */
export type Facts = z.infer<typeof Facts>;

const Slice = z.object({ tokens: z.number().positive(), seconds: z.number().positive() });
export type Slice = z.infer<typeof Slice>;

const STDERR_LINES = 8;
/** Loading and compiling may take minutes, a slice of the largest model too; silence beyond this is a hang. */
const SILENCE_MS = 15 * 60_000;
const GRACE_MS = 3_000;

export class ContestantFailed extends Error {
  override readonly name = 'ContestantFailed';
}

export class Contestant {
  facts: Facts = { name: '' };
  readonly #label: string;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #stderr: string[] = [];
  readonly #ended: Promise<string>;
  readonly #silenceMs: number;

  private constructor(label: string, child: ChildProcess, silenceMs: number) {
    this.#label = label;
    this.#child = child;
    this.#silenceMs = silenceMs;
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    createInterface({ input: child.stderr! }).on('line', (line) => {
      this.#stderr.push(line);
      this.#stderr.splice(0, this.#stderr.length - STDERR_LINES);
    });
    // A write to a child that is gone is told by its end, not by the pipe.
    child.stdin!.on('error', () => undefined);
    this.#ended = new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
  }

  /**
   * Starts it and waits until it is ready. @throws ContestantFailed, with the child's last words.
   */
  static async start(
    label: string,
    command: string,
    args: string[],
    { env = {}, silenceMs = SILENCE_MS }: { env?: Record<string, string>; silenceMs?: number } = {},
  ): Promise<Contestant> {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    const contestant = new Contestant(label, child, silenceMs);
    try {
      contestant.facts = z.object({ ready: Facts }).parse(await contestant.#answer()).ready;
    } catch (error) {
      child.kill('SIGKILL');
      throw error instanceof ContestantFailed
        ? error
        : contestant.#failed(`said no word of being ready: ${String(error)}`);
    }
    return contestant;
  }

  /** Does slice `n`; equal numbers mean equal work on every side. @throws ContestantFailed */
  async slice(n: number): Promise<Slice> {
    this.#child.stdin!.write(`${JSON.stringify({ slice: n })}\n`);
    const answer = Slice.safeParse(await this.#answer());
    if (!answer.success) throw this.#failed(`gave a slice without tokens and seconds above 0`);
    return answer.data;
  }

  /** Ends it; a child that does not end by itself is killed. */
  async end(): Promise<void> {
    this.#child.stdin!.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), GRACE_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  async #answer(): Promise<unknown> {
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<never>((_, fail) => {
      timer = setTimeout(() => fail(this.#failed(`said nothing for ${this.#silenceMs / 1000} s`)), this.#silenceMs);
    });
    try {
      const next = await Promise.race([this.#lines.next(), silence]);
      if (next.done) throw this.#failed(`ended (${await this.#ended})`);
      let answer: unknown;
      try {
        answer = JSON.parse(next.value);
      } catch {
        throw this.#failed(`said ${JSON.stringify(next.value.slice(0, 80))}, which is no JSON`);
      }
      const { error } = (answer ?? {}) as { error?: unknown };
      if (typeof error === 'string') throw this.#failed(`reports: ${error}`);
      return answer;
    } finally {
      clearTimeout(timer);
    }
  }

  #failed(what: string): ContestantFailed {
    const words = this.#stderr.length > 0 ? `; its last words:\n${this.#stderr.join('\n')}` : '';
    return new ContestantFailed(`${this.#label} ${what}${words}`);
  }
}
