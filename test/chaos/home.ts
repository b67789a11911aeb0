/**
 * One run in a home of its own, with real parts: command line, Temporal server, worker, engine. It is disturbed by SIGKILL at
 * moments that are recognised by what appears in the store: memo keys and artifacts are the same in every home, so those of
 * the undisturbed run tell which file of another run belongs to which stage.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  cpSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { homePaths, readOwner } from '../../cli/home.ts';
import { isAlive } from '../../cli/process-identity.ts';
import { locateTemporal } from '../../scripts/setup/locate.mjs';
import type { RunDocument } from '../../schemas/run.ts';
import type { StageInput, StageOutput } from '../../schemas/stage.ts';
import { REAL_RUN, setWords } from '../support/real-run.ts';
import { kill, members } from './processes.ts';
import type { Member, Role } from './processes.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
export const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

const SNAPSHOT_MS = 150;
export const SHARD_SIZE = 20;
/** A run that takes longer hangs; the machine may be busy with other work. */
const RUN_MS = 180_000;

export type Outcome = { code: number | null; document: RunDocument | undefined; errors: string };

interface Command {
  child: ChildProcess;
  group: number;
  out: string;
  err: string;
  ended: Promise<number | null>;
  over: boolean;
}

/** A memo entry, as the store keeps it. */
export interface Entry {
  key: string;
  input: StageInput;
  output: StageOutput;
}

/** A stage is a name, with the iteration and the shard counted from 0: `1/free/2`. */
export const nameOf = ({ iteration, stage, shard }: StageInput): string => `${iteration}/${stage}/${shard.index}`;

const valueOf = (file: string): unknown => (JSON.parse(readFileSync(file, 'utf8')) as { value: unknown }).value;
const names = (folder: string): string[] => {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
};

export class Home {
  readonly folder = mkdtempSync(path.join(os.tmpdir(), 'startrail-chaos-'));
  readonly paths = homePaths(this.folder);
  readonly groups: number[] = [];
  runId = 'r';
  #command: Command | undefined;
  #options = {};

  /** Bundling the workflows takes seconds and is no part of what is tested: the bundle of another home may be used. */
  constructor(like?: Home) {
    if (like) cpSync(path.join(like.folder, 'bundles'), path.join(this.folder, 'bundles'), { recursive: true });
  }

  get command(): Command {
    if (!this.#command) throw new Error('nothing was started in this home');
    return this.#command;
  }

  async #start(args: string[]): Promise<Command> {
    const n = this.groups.length;
    const [out, err] = [path.join(this.folder, `out-${n}.json`), path.join(this.folder, `err-${n}.txt`)];
    const [outFile, errFile] = [openSync(out, 'w'), openSync(err, 'w')];
    const child = spawn(process.execPath, [path.join(checkout, 'scripts', 'start.mjs'), 'cli/main.ts', ...args], {
      cwd: checkout,
      detached: true,
      stdio: ['ignore', outFile, errFile],
      env: {
        ...process.env,
        STARTRAIL_HOME: this.folder,
        STARTRAIL_TEMPORAL: locateTemporal(),
        STARTRAIL_SNAPSHOT_MS: String(SNAPSHOT_MS),
      },
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

  run(options: { seed?: number; shardSize?: number } = {}): Promise<Command> {
    this.#options = options;
    const set = setWords(REAL_RUN);
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
    names(this.folder).some(
      (name) => name.startsWith('err-') && readFileSync(path.join(this.folder, name), 'utf8').includes(text),
    );

  /** Any other command line, to its end. */
  async other(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
    const { ended, out, err } = await this.#start(args);
    return { code: await ended, out: readFileSync(out, 'utf8'), err: readFileSync(err, 'utf8') };
  }

  /** Waits for the command under way. */
  async end(): Promise<Outcome> {
    const { command } = this;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, fail) => {
      timer = setTimeout(() => {
        fail(new Error(`the run hangs; its last words:\n${this.lastWords()}`));
      }, RUN_MS);
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

  file = (...parts: string[]): string => path.join(this.paths.store, ...parts);
  objectOf = (digest: string): string => this.file('objects', digest.slice(7, 9), digest.slice(9));
  memoOf = (key: string): string => this.file('names', 'memo', `${key}.json`);
  scratchOf(key: string): string {
    const hash = createHash('sha256').update(key).digest('hex').slice(0, 32);
    return this.file('scratch', `${key.slice(0, 60)}-${hash}`);
  }
  get runFile(): string {
    return this.file('names', 'runs', `${this.runId}.json`);
  }
  document = (): RunDocument => valueOf(this.runFile) as RunDocument;
  rows = (digest: string): unknown[] =>
    readFileSync(this.objectOf(digest), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line): unknown => JSON.parse(line));

  /** What the memo knows, by stage. */
  entries(): Map<string, Entry> {
    const folder = this.file('names', 'memo');
    const all = names(folder).filter((name) => name.endsWith('.json'));
    return new Map(
      all.map((name) => {
        const entry = valueOf(path.join(folder, name)) as Entry;
        return [nameOf(entry.input), entry];
      }),
    );
  }

  /** Everything that work leaves: artifacts, memo entries, snapshots, the run's document. */
  traces(): Set<string> {
    const found = new Set<string>();
    for (const fold of names(this.file('objects')))
      for (const name of names(this.file('objects', fold))) found.add(`${fold}${name}`);
    for (const name of names(this.file('names', 'memo'))) found.add(name);
    for (const work of names(this.file('scratch')))
      for (const name of names(this.file('scratch', work, 'snapshots')))
        if (name.startsWith('step-')) found.add(`${work}/${name}`);
    try {
      found.add(`document ${statSync(this.runFile).ino}`);
    } catch {
      // Not written yet.
    }
    return found;
  }

  /** Seconds until something new stands in the home; the run's end counts too. */
  async progress(since: Set<string>, from: number, limitS: number): Promise<number> {
    for (;;) {
      const seconds = (Date.now() - from) / 1000;
      if ([...this.traces()].some((trace) => !since.has(trace)) || this.command.over) return seconds;
      if (seconds > limitS) throw new Error(`no work for ${seconds.toFixed(1)} s; last words:\n${this.lastWords()}`);
      await pause(40);
    }
  }

  /** Waits until a server that is not `dead` answers, or the command is over: it needs none any more. */
  async serverBack(dead: Member, limitS: number): Promise<void> {
    const until = Date.now() + limitS * 1000;
    while (Date.now() < until) {
      if (this.command.over) return;
      const owner = readOwner(this.paths);
      const port = Number(owner?.address.split(':')[1]);
      if (owner?.server && owner.server.pid !== dead.pid && isAlive(owner.server) && (await answers(port))) return;
      await pause(25);
    }
    throw new Error(`the server was not started again; last words:\n${this.lastWords()}`);
  }

  /** Files that should not outlive their writer: half-written ones, scratch of finished work. */
  leftovers(): string[] {
    const half = /\.\d+(-[0-9a-f]+)?$|^\.\d+-/;
    return [
      ...names(this.file('tmp')).map((name) => `store/tmp/${name}`),
      ...names(this.file('scratch')).map((name) => `store/scratch/${name}`),
      ...['', 'lock', 'bundles', 'logs']
        .flatMap((folder) => names(path.join(this.folder, folder)).map((name) => path.join(folder, name)))
        .filter((name) => half.test(path.basename(name))),
    ];
  }

  /** Ends what is left and removes the folder. */
  async remove(): Promise<void> {
    for (let tries = 0; tries < 50 && this.living().length > 0; tries++) {
      for (const one of this.living()) kill(one);
      await pause(50);
    }
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

const answers = (port: number): Promise<boolean> =>
  new Promise((done) => {
    const socket = net.connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => {
      done(false);
    });
  });
