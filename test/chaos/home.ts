/**
 * One run in a home of its own, with real parts: command line, Temporal server, worker, engine. It is disturbed by SIGKILL at
 * moments that are recognised by what appears in the store: memo keys and artifacts are the same in every home, so those of
 * the undisturbed run tell which file of another run belongs to which stage.
 */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { readOwner } from '../../cli/home.ts';
import { isAlive } from '../../cli/process-identity.ts';
import type { RunDocument } from '../../schemas/run.ts';
import type { StageInput, StageOutput } from '../../schemas/stage.ts';
import { Installation, names, pause } from './installation.ts';
import type { Member } from './processes.ts';

/** A memo entry, as the store keeps it. */
export interface Entry {
  key: string;
  input: StageInput;
  output: StageOutput;
}

/** A stage is a name, with the iteration and the shard counted from 0: `1/free/2`. */
export const nameOf = ({ iteration, stage, shard }: StageInput): string => `${iteration}/${stage}/${shard.index}`;

const valueOf = (file: string): unknown => (JSON.parse(readFileSync(file, 'utf8')) as { value: unknown }).value;

export class Home extends Installation {
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
