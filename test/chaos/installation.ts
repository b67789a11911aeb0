/**
 * An installation of a test's own: a home, the command lines started in it one after the other, and everything they left running.
 *
 *   const here = new Installation(); await here.run(); kill(here.find('cli')[0]); await here.goOn(); await here.end();
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, cpSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { homePaths } from '../../cli/home.ts';
import { locateTemporal } from '../../scripts/setup/locate.mjs';
import type { RunDocument } from '../../schemas/run.ts';
import { REAL_RUN, setWords } from '../support/real-run.ts';
import { kill, members } from './processes.ts';
import type { Member, Role } from './processes.ts';

export const checkout = fileURLToPath(new URL('../..', import.meta.url));
export const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

const SNAPSHOT_MS = 150;
const SHARD_SIZE = 20;
/** A run that takes longer hangs; the machine may be busy with other work. */
const RUN_MS = 180_000;

export type Outcome = { code: number | null; document: RunDocument | undefined; errors: string };

export interface Command {
  child: ChildProcess;
  group: number;
  out: string;
  err: string;
  ended: Promise<number | null>;
  over: boolean;
}

export const names = (folder: string): string[] => {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
};

export interface RunOptions {
  seed?: number;
  shardSize?: number;
  settings?: Record<string, number>;
}

export class Installation {
  readonly folder: string;
  readonly paths;
  readonly groups: number[] = [];
  runId = 'r';
  #command: Command | undefined;
  #options: RunOptions = {};

  /**
   * Bundling the workflows takes seconds and is no part of what is tested: the bundles of `like` may be used.
   * @param words where the output of its commands goes, if not into the home itself
   */
  constructor(
    like?: Installation,
    folder = mkdtempSync(path.join(os.tmpdir(), 'startrail-chaos-')),
    private readonly words = folder,
  ) {
    this.folder = folder;
    this.paths = homePaths(folder);
    if (like) this.useBundlesOf(like.folder);
  }

  protected useBundlesOf(home: string): void {
    cpSync(path.join(home, 'bundles'), path.join(this.folder, 'bundles'), { recursive: true });
  }

  get command(): Command {
    if (!this.#command) throw new Error('nothing was started in this home');
    return this.#command;
  }

  /** What its commands have in their environment besides that of the test. */
  environment(): Record<string, string | undefined> {
    return {
      STARTRAIL_HOME: this.folder,
      STARTRAIL_TEMPORAL: locateTemporal(),
      STARTRAIL_SNAPSHOT_MS: String(SNAPSHOT_MS),
    };
  }

  async #start(args: string[]): Promise<Command> {
    const n = this.groups.length;
    const [out, err] = [path.join(this.words, `out-${n}.json`), path.join(this.words, `err-${n}.txt`)];
    const [outFile, errFile] = [openSync(out, 'w'), openSync(err, 'w')];
    const child = spawn(process.execPath, [path.join(checkout, 'scripts', 'start.mjs'), 'cli/main.ts', ...args], {
      cwd: checkout,
      detached: true,
      stdio: ['ignore', outFile, errFile],
      env: { ...process.env, ...this.environment() },
    });
    closeSync(outFile);
    closeSync(errFile);
    if (child.pid === undefined) throw new Error('the command line did not start');
    const command: Command = { child, group: child.pid, out, err, over: false, ended: Promise.resolve(null) };
    command.ended = new Promise((done) => {
      child.once('exit', (code) => {
        command.over = true;
        done(code);
      });
    });
    this.groups.push(child.pid);
    return (this.#command = command);
  }

  run(options: RunOptions = {}): Promise<Command> {
    this.#options = options;
    const set = setWords(options.settings ?? REAL_RUN);
    return this.#start([
      ...['run', 'star', '--task', 'addition', '--iterations', '2', '--run-id', this.runId, '--json'],
      ...['--seed', String(options.seed ?? 5), '--shard-size', String(options.shardSize ?? SHARD_SIZE), ...set],
    ]);
  }

  /** Goes on with the run after its owner's death, as a person would: `watch`, or the same command where nothing was started. */
  async goOn(): Promise<void> {
    if (!this.#said(`run ${this.runId} started`)) {
      const { ended } = await this.run(this.#options);
      while (!this.#said(`run ${this.runId} started`)) {
        if ((await Promise.race([ended, pause(50)])) === undefined) continue;
        if (!this.#said('there is a run')) throw new Error(`cannot start again:\n${this.lastWords()}`);
        break;
      }
      if (!this.command.over) return;
    }
    await this.#start(['watch', this.runId, '--json']);
  }

  /** Whether any command of this home told that on its standard error. */
  #said = (text: string): boolean =>
    names(this.words).some(
      (name) => name.startsWith('err-') && readFileSync(path.join(this.words, name), 'utf8').includes(text),
    );

  /** Any other command line, to its end. */
  async other(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
    const { ended, out, err } = await this.#start(args);
    return { code: await ended, out: readFileSync(out, 'utf8'), err: readFileSync(err, 'utf8') };
  }

  /** Waits for the command under way. */
  async end(limitMs = RUN_MS): Promise<Outcome> {
    const { command } = this;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, fail) => {
      timer = setTimeout(() => {
        fail(new Error(`the run hangs; its last words:\n${this.lastWords()}`));
      }, limitMs);
    });
    try {
      const code = await Promise.race([command.ended, late]);
      const text = readFileSync(command.out, 'utf8');
      const document = text.trim() === '' ? undefined : (JSON.parse(text) as RunDocument);
      return { code, document, errors: readFileSync(command.err, 'utf8') };
    } finally {
      clearTimeout(timer);
    }
  }

  lastWords(): string {
    const tail = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n').slice(-6) : []);
    return [...tail(this.command.err), ...tail(this.paths.workerLog)].join('\n');
  }

  /** The living processes of everything that was started here. */
  living = (): Member[] => this.groups.flatMap(members);
  find = (role: Role): Member[] => members(this.command.group).filter((member) => member.role === role);

  protected async endAll(): Promise<void> {
    for (let tries = 0; tries < 50 && this.living().length > 0; tries++) {
      for (const one of this.living()) kill(one);
      await pause(50);
    }
  }

  /** Ends what is left and removes the folder. */
  async remove(): Promise<void> {
    await this.endAll();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
