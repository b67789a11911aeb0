/**
 * Lean in a process of its own, walled in as far as a process without privileges can be.
 *
 *   const lean = await openLean(3);
 *   await lean.check('theorem t : 1 = 1 :=\nbegin\nrefl\nend\n', { timeoutMs: 8000 })     // messages
 *   lean.close();
 *
 * Lean 3 stays warm: its server is given one file after another, each read from an empty environment, so that nothing of an earlier
 * theorem is there. Lean 4 (`lean --json --stdin`) starts anew for each. Time is counted by Lean in allocations and memory in
 * megabytes, so that a proof gets the same verdict on a busy machine; the clock is the last resort.
 *
 * Walls: an empty environment, no file may grow, few open files, a limit of memory and of processor time (`ulimit`); no network and
 * no other machine's names where `unshare` may make a namespace; it dies with its parent where there is `setpriv`. Not guaranteed:
 * files of the same user may be read, and emptied; without `unshare` the network is there. What may stand in a proof
 * (lean-text.ts) is the first wall; decision 22.
 *
 * Errors: {@link LeanUnavailable}, always trouble of Lean's and never the proof's.
 */
import { execFile, spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { accessSync, constants, realpathSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import type { LeanMajor, LeanMessage } from './lean-text.ts';

const run = promisify(execFile);

/** Enters the digest of every task that is judged by it. Lean 3 ended with this one; of Lean 4, the first with `--json`. */
export const LEAN_VERSIONS = { 3: '3.51.1', 4: 'at least 4.9.0' } as const;
export const LEAN_LIMITS = {
  /** Thousands of allocations: of one file where a process is begun for it, and of all that a warm one reads (Lean adds them up). */
  allocations: 2_000,
  warmAllocations: 100_000,
  memoryMb: 384,
  /** Of the whole process, which is begun anew long before. */
  processorSeconds: 600,
  addressKb: 4_000_000,
  /** Files that one process checks. */
  files: 400,
} as const;

export type LeanTrouble = 'LeanMissing' | 'LeanVersion' | 'LeanHangs' | 'LeanCrashed';
/** Lean could not be asked; the row is unjudged. */
export class LeanUnavailable extends Error {
  override readonly name = 'LeanUnavailable';
  constructor(
    readonly code: LeanTrouble,
    found: string,
    readonly cure: string,
  ) {
    super(`${code}: ${found}; ${cure}`);
  }
}

const CURES: Record<LeanMajor, string> = {
  3: `set STARTRAIL_LEAN to the lean program of the community's Lean ${LEAN_VERSIONS[3]}, or put it in PATH (docs/howto/lean.md)`,
  4: 'install Lean 4 with elan and set STARTRAIL_LEAN4 to its lean program, or put it in PATH (docs/howto/lean.md)',
};
const VARIABLES: Record<LeanMajor, string> = { 3: 'STARTRAIL_LEAN', 4: 'STARTRAIL_LEAN4' };

const isProgram = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};
const onPath = (name: string): string | undefined =>
  (process.env.PATH ?? '')
    .split(path.delimiter)
    .map((folder) => path.join(folder, name))
    .find(isProgram);

/** The program and its version. @throws LeanUnavailable: LeanMissing, LeanVersion. */
export async function findLean(major: LeanMajor): Promise<{ program: string; version: string }> {
  const named = process.env[VARIABLES[major]];
  const program = named ? path.resolve(named) : onPath('lean');
  if (program === undefined || !isProgram(program)) {
    const where = named ? `${VARIABLES[major]} names ${named}, where there is none` : 'no lean in PATH';
    throw new LeanUnavailable('LeanMissing', where, CURES[major]);
  }
  let told: string;
  try {
    told = (await run(program, ['--version'], { timeout: 20_000 })).stdout;
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new LeanUnavailable('LeanCrashed', `${program} --version: ${why}`, CURES[major]);
  }
  const version = /version (\d+\.\d+\.\d+)/.exec(told)?.[1] ?? told.trim().slice(0, 60);
  const [first = 0, second = 0] = version.split('.').map(Number);
  if (major === 3 ? version !== LEAN_VERSIONS[3] : first !== 4 || second < 9)
    throw new LeanUnavailable('LeanVersion', `${program} is ${version}, wanted ${LEAN_VERSIONS[major]}`, CURES[major]);
  return { program: realpathSync(program), version };
}

export interface Lean {
  /** Messages of one file, in an environment of its own; `alone`: in a process begun for it, within its own limits. @throws LeanUnavailable: LeanHangs, LeanCrashed. */
  check(text: string, options: { timeoutMs: number; alone?: boolean }): Promise<LeanMessage[]>;
  /** Of the process, while there is one. */
  pid(): number | undefined;
  close(): void;
}

let walls: Promise<string[]> | undefined;
/** What is put in front of the program; each part where this machine lets it be had. */
async function wallsOf(): Promise<string[]> {
  const works = (command: string[]) =>
    run(command[0]!, [...command.slice(1), 'true'], { timeout: 5_000 }).then(
      () => true,
      () => false,
    );
  const unshare = ['unshare', '--user', '--net', '--ipc', '--uts'];
  const orphan = ['setpriv', '--pdeathsig', 'KILL', '--no-new-privs'];
  const { addressKb, processorSeconds } = LEAN_LIMITS;
  const limits = `-c 0;-f 0;-n 64;-t ${processorSeconds};-v ${addressKb}`
    .split(';')
    .map((limit) => `ulimit ${limit} 2>/dev/null;`)
    .join(' ');
  return [
    ...((await works(unshare)) ? unshare : []),
    ...((await works(orphan)) ? orphan : []),
    'sh',
    '-c',
    `${limits} exec "$0" "$@"`,
  ];
}

/** Starts nothing before it is asked. @throws LeanUnavailable: LeanMissing, LeanVersion. */
export async function openLean(major: LeanMajor): Promise<Lean> {
  const { program } = await findLean(major);
  const before = await (walls ??= wallsOf());
  const { allocations, warmAllocations, memoryMb } = LEAN_LIMITS;
  const start = (args: string[], warm = false) => {
    const limits = [`-T${warm ? warmAllocations : allocations}`, `-M${memoryMb}`];
    const [first = '', ...rest] = [...before, program, ...args, ...limits];
    const child = spawn(first, rest, { stdio: 'pipe', env: {}, cwd: path.parse(program).root });
    child.on('error', () => undefined);
    child.stdin.on('error', () => undefined);
    // Nothing waits for an idle one.
    child.unref();
    for (const pipe of [child.stdin, child.stdout, child.stderr] as { unref?(): void }[]) pipe.unref?.();
    return child;
  };
  // Without threads of its own it answers when it is done, and not by a timer.
  return major === 3
    ? new Server((warm) => start(['--server', '-j0'], warm))
    : new OneShot(() => start(['--json', '--stdin', '-j1']));
}

const RETRIED = 'it is tried again; see docs/howto/lean.md if it goes on';
const hangs = (ms: number) => new LeanUnavailable('LeanHangs', `Lean gave no answer within ${ms} ms`, RETRIED);
const crashed = (how: string) => new LeanUnavailable('LeanCrashed', `Lean's process ended (${how})`, RETRIED);

interface Told {
  response?: string;
  seq_num?: number;
  message?: string;
  msgs?: { severity: string; pos_line: number; text: string }[];
}

class Server implements Lean {
  #child: ChildProcessWithoutNullStreams | undefined;
  #files = 0;
  #hear: ((line: string) => void) | undefined;
  #stderr = '';
  /** Never that of an earlier file, nor of an earlier process. */
  #number = 0;

  constructor(private readonly start: (warm: boolean) => ChildProcessWithoutNullStreams) {}

  async check(text: string, { timeoutMs, alone = false }: Parameters<Lean['check']>[1]): Promise<LeanMessage[]> {
    if (alone || this.#files >= LEAN_LIMITS.files) this.close();
    const child = (this.#child ??= this.#begin(!alone));
    this.#files++;
    const id = ++this.#number;
    let messages: LeanMessage[] = [];
    try {
      await new Promise<void>((resolve, reject) => {
        // A child that is given up must not be heard to end: by then the next one is listened to.
        const late = setTimeout(() => done(() => reject(hangs(timeoutMs))), timeoutMs);
        const done = (how: () => void) => {
          clearTimeout(late);
          this.#hear = undefined;
          child.off('close', ended);
          how();
        };
        const ended = (code: number | null, signal: NodeJS.Signals | null) =>
          done(() => reject(crashed(`${signal ?? `exit code ${code}`} ${this.#stderr.trim().slice(-200)}`.trim())));
        child.once('close', ended);
        this.#hear = (line) => {
          const told = JSON.parse(line) as Told;
          if (told.response === 'all_messages')
            messages = (told.msgs ?? []).map((one) => ({ severity: one.severity, line: one.pos_line, text: one.text }));
          if (told.seq_num !== id) return;
          done(() => (told.response === 'ok' ? resolve() : reject(crashed(told.message ?? line.slice(0, 200)))));
        };
        child.stdin.write(`${JSON.stringify({ seq_num: id, command: 'sync', file_name: 'f.lean', content: text })}\n`);
      });
      if (alone) this.close();
      return messages;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #begin(warm: boolean): ChildProcessWithoutNullStreams {
    const child = this.start(warm);
    this.#stderr = '';
    this.#files = 0;
    child.stderr.on('data', (bytes: Buffer) => (this.#stderr = (this.#stderr + bytes.toString()).slice(-2_000)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (this.#child === child) this.#hear?.(line);
    });
    child.once('exit', () => {
      if (this.#child === child) this.#child = undefined;
    });
    return child;
  }

  pid = (): number | undefined => this.#child?.pid;

  close(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }
}

interface Line {
  severity: string;
  pos: { line: number };
  data: string;
}

class OneShot implements Lean {
  #child: ChildProcessWithoutNullStreams | undefined;
  constructor(private readonly start: () => ChildProcessWithoutNullStreams) {}

  async check(text: string, { timeoutMs }: { timeoutMs: number }): Promise<LeanMessage[]> {
    const child = this.start();
    this.#child = child;
    let out = '';
    child.stdout.on('data', (bytes: Buffer) => (out += bytes.toString()));
    child.stderr.resume();
    child.stdin.end(text);
    let late: NodeJS.Timeout | undefined;
    try {
      const signal = await new Promise<NodeJS.Signals | null>((resolve, reject) => {
        late = setTimeout(() => reject(hangs(timeoutMs)), timeoutMs);
        child.once('error', (error) => reject(crashed(error.message)));
        child.once('close', (_, how) => resolve(how));
      });
      if (signal !== null) throw crashed(signal);
      return out
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as Line)
        .map(({ severity, pos, data }) => ({ severity, line: pos.line, text: data }));
    } finally {
      clearTimeout(late);
      this.close();
    }
  }

  pid = (): number | undefined => this.#child?.pid;

  close(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }
}
