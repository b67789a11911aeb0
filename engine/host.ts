/**
 * An engine in a child process: a native crash, a hang or an out-of-memory kill costs one request, not the worker.
 *
 *   const engine = createHostedEngine({ entry: 'tfjs', threads: 2, hungAfterMs: 60_000 });
 *   await engine.sample(request, { signal });
 *   await engine.close();
 *
 * The child starts with the first request. Requests run one at a time, in order. When the child dies only the request it ran
 * rejects (`EngineDied`, `EngineHung`); those still waiting go to a fresh child.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import {
  EngineError,
  OBJECTIVES,
  type Completion,
  type Engine,
  type EngineControl,
  type EngineDescription,
  type PartCosts,
  type PartsRequest,
  type SampleRequest,
  type ScoreRequest,
  type TrainRequest,
  type TrainResult,
} from './engine.ts';
import { ToolName } from '../schemas/tools.ts';
import { withoutSecrets } from '../schemas/environment.ts';
import { fromPortable, type FromChild, type ToChild } from './messages.ts';
import { onSilence } from './silence.ts';

export interface HostOptions {
  entry: 'tfjs' | 'scripted';
  threads: number;
  /**
   * No word from a running request for so long ⇒ its child is killed. Waiting in the queue and for the child does not count, nor does
   * what the child waits for a processor (where the system tells).
   */
  hungAfterMs: number;
  /** One line of the child's stderr, or of the host's own. */
  log?: (line: string) => void;
  /** Added to the child's environment. */
  env?: Record<string, string>;
}

/** How long a cancelled request may take to stop, and a closed child to end. */
const GRACE_MS = 3000;
/** A child may take so long to load its library, on a machine that does much else too. */
const START_WITHIN_MS = 60_000;
const STDERR_LINES = 5;

type Request =
  | { kind: 'sample'; request: SampleRequest }
  | { kind: 'train'; request: TrainRequest }
  | { kind: 'score'; request: ScoreRequest }
  | { kind: 'costs'; request: PartsRequest };
type Result = Completion[] | TrainResult | number[] | PartCosts[];

interface Pending {
  id: number;
  request: Request;
  control: EngineControl;
  resolve(result: Result): void;
  reject(error: unknown): void;
  onAbort(): void;
  cancelled: boolean;
}

interface Child {
  process: ChildProcess;
  ready: Promise<EngineDescription>;
  started: boolean;
  /** Why the host ended it, or what it said was wrong. */
  fault?: Error;
  stderr: string[];
}

class HostedEngine implements Engine {
  /** Both engines that run in a child can. */
  readonly learns = OBJECTIVES;
  readonly #options: HostOptions;
  readonly #queue: Pending[] = [];
  #running: Pending | undefined;
  #child: Child | undefined;
  #description: EngineDescription | undefined;
  #nextId = 1;
  #closed = false;
  /** Stops the clock of its silence. */
  #hung: (() => void) | undefined;
  #grace: NodeJS.Timeout | undefined;

  constructor(options: HostOptions) {
    this.#options = options;
  }

  get tools(): readonly ToolName[] | undefined {
    return this.#options.entry === 'tfjs' ? ToolName.options : undefined;
  }

  pid = (): number | undefined => this.#child?.process.pid;

  /** Starts the child ahead of the first request. */
  warm = async (): Promise<void> => {
    await this.#ensureChild().ready;
  };

  describe = async (): Promise<EngineDescription> => this.#description ?? this.#ensureChild().ready;

  sample = (request: SampleRequest, control?: EngineControl) =>
    this.#submit({ kind: 'sample', request }, control) as Promise<Completion[]>;

  train = (request: TrainRequest, control?: EngineControl) =>
    this.#submit({ kind: 'train', request }, control) as Promise<TrainResult>;

  score = (request: ScoreRequest, control?: EngineControl) =>
    this.#submit({ kind: 'score', request }, control) as Promise<number[]>;

  costs = (request: PartsRequest, control?: EngineControl) =>
    this.#submit({ kind: 'costs', request }, control) as Promise<PartCosts[]>;

  close = async (): Promise<void> => {
    this.#closed = true;
    const closed = new EngineError('EngineDied', 'the engine was closed');
    for (const pending of this.#queue.splice(0)) this.#settle(pending, () => pending.reject(closed));
    const child = this.#child;
    if (child === undefined) return;
    child.fault = closed;
    const ended =
      child.process.exitCode !== null || child.process.signalCode !== null ? undefined : once(child.process, 'exit');
    if (child.process.connected) child.process.disconnect();
    // Ends the child even where a kernel blocks its loop.
    child.process.stdin?.destroy();
    const late = setTimeout(() => child.process.kill('SIGKILL'), GRACE_MS);
    await ended;
    clearTimeout(late);
  };

  #submit(request: Request, control: EngineControl = {}): Promise<Result> {
    return new Promise((resolve, reject) => {
      control.signal?.throwIfAborted();
      if (this.#closed) throw new EngineError('EngineDied', 'the engine was closed');
      const pending: Pending = {
        id: this.#nextId++,
        request,
        control,
        resolve,
        reject,
        onAbort: () => this.#abort(pending),
        cancelled: false,
      };
      control.signal?.addEventListener('abort', pending.onAbort, { once: true });
      this.#queue.push(pending);
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#running !== undefined || this.#queue.length === 0 || this.#closed) return;
    const pending = this.#queue.shift()!;
    this.#running = pending;
    const child = this.#ensureChild();
    this.#watch(child);
    this.#post(child, { ...pending.request, id: pending.id });
  }

  #post(child: Child, message: ToChild): void {
    // A failed send means that the child is ending: its exit settles the request.
    if (child.process.connected) child.process.send(message, () => undefined);
  }

  #abort(pending: Pending): void {
    const waiting = this.#queue.indexOf(pending);
    if (waiting >= 0) {
      this.#queue.splice(waiting, 1);
      this.#settle(pending, () => pending.reject(pending.control.signal?.reason));
      return;
    }
    const child = this.#child;
    if (this.#running !== pending || child === undefined) return;
    pending.cancelled = true;
    this.#post(child, { kind: 'cancel', id: pending.id });
    this.#grace = setTimeout(() => child.process.kill('SIGKILL'), GRACE_MS);
  }

  /** Starts the clock of the running request anew. */
  #watch(child: Child): void {
    this.#hung?.();
    if (this.#running === undefined) return;
    const { hungAfterMs } = this.#options;
    const limit = child.started ? hungAfterMs : Math.max(hungAfterMs, START_WITHIN_MS);
    const what = child.started
      ? `no progress for ${limit} ms while a request ran`
      : `not ready ${limit} ms after its start`;
    this.#hung = onSilence(child.process.pid, limit, () => {
      child.fault = new EngineError(
        'EngineHung',
        `${what}; the engine's process ${child.process.pid} was killed. ` +
          "Retry; if it comes back, look at the worker's log and raise hungAfterMs where the machine is slow.",
      );
      child.process.kill('SIGKILL');
    });
  }

  #settle(pending: Pending, act: () => void): void {
    pending.control.signal?.removeEventListener('abort', pending.onAbort);
    if (this.#running === pending) {
      this.#running = undefined;
      this.#hung?.();
      clearTimeout(this.#grace);
    }
    if (pending.cancelled) pending.reject(pending.control.signal?.reason);
    else act();
  }

  #ensureChild(): Child {
    return (this.#child ??= this.#start());
  }

  #start(): Child {
    const { entry, threads, env, log } = this.#options;
    // Absolute, so that neither the working folder nor its node_modules matter.
    const start = fileURLToPath(new URL('../scripts/start.mjs', import.meta.url));
    const child = spawn(process.execPath, [start, 'engine/child.ts', entry], {
      stdio: ['pipe', 'ignore', 'pipe', 'ipc'],
      env: { ...withoutSecrets(process.env), ...env, STARTRAIL_ENGINE_THREADS: String(threads) },
    });
    child.stdin?.on('error', () => undefined);
    let said: (description: EngineDescription) => void = () => undefined;
    let failed: (error: Error) => void = () => undefined;
    const ready = new Promise<EngineDescription>((resolve, reject) => {
      said = resolve;
      failed = reject;
    });
    ready.catch(() => undefined);
    const self: Child = { process: child, ready, started: false, stderr: [] };
    createInterface({ input: child.stderr! }).on('line', (line) => {
      self.stderr = [...self.stderr, line].slice(-STDERR_LINES);
      log?.(line);
    });
    child.on('message', (message: FromChild) => {
      if (message.kind === 'ready') {
        self.started = true;
        said((this.#description = message.description));
      }
      if (message.kind === 'unavailable') self.fault = fromPortable(message.error);
      this.#hear(self, message);
    });
    const ended = (how: string) => {
      if (this.#child !== self) return;
      this.#child = undefined;
      const last = self.stderr.length > 0 ? ` Its last words: ${self.stderr.join(' | ')}` : '';
      const error =
        self.fault ?? new EngineError('EngineDied', `the engine's process ${child.pid} ended (${how}).${last}`);
      failed(error);
      const pending = this.#running;
      if (pending !== undefined) this.#settle(pending, () => pending.reject(error));
      this.#pump();
    };
    child.on('error', (error) => ended(error.message));
    child.on('exit', (code, signal) => ended(signal ?? `exit code ${code}`));
    return self;
  }

  #hear(child: Child, message: FromChild): void {
    const pending = this.#running;
    if (this.#child !== child) return;
    this.#watch(child);
    if (pending === undefined || !('id' in message) || message.id !== pending.id) return;
    if (message.kind === 'progress') {
      if (!pending.cancelled) pending.control.onProgress?.(message.progress);
      return;
    }
    this.#settle(pending, () => {
      if (message.kind === 'result') pending.resolve(message.result);
      else pending.reject(fromPortable(message.error));
    });
    this.#pump();
  }
}

/**
 * @throws (from its methods) what the engine in the child throws, and `EngineDied`, `EngineHung`, `EngineUnavailable`.
 * `pid` is that of the child while there is one; `warm` starts it ahead of time.
 */
export function createHostedEngine(
  options: HostOptions,
): Engine & { pid(): number | undefined; warm(): Promise<void> } {
  return new HostedEngine(options);
}
