/** What a page is handed: the archive, and whoever talks to the server. The page itself knows neither command nor client. */
import type { IterationProgress, Progress } from '../schemas/run.ts';
import type { Recipe } from '../schemas/recipe.ts';
import type { Store } from '../store/store.ts';
import type { Task } from '../tasks/task.ts';

/** A run as the server sees it now. */
export interface LiveRun {
  progress: Progress | null;
  stages: IterationProgress | null;
  /** Shards under way, by what their activities said last. */
  live: { stage: string; shard: number; done: number; total: number; tokensPerSecond: number }[];
  retries: { stage: string; attempt: number; message: string }[];
  /** The workflow's code fails and is tried again without end. */
  stuck: string | null;
}

export const ACTIONS = ['pause', 'resume', 'stop', 'retry', 'abandon', 'fork'] as const;
export type Action = (typeof ACTIONS)[number];

/** What a person asks for; `set` holds lines of path=value. */
export interface Wish {
  run: string;
  action: Action;
  set: string[];
  /** fork: the first iteration of its own, and how many there are to be. */
  from?: number | undefined;
  iterations?: number | undefined;
}

export interface Installation {
  store: Store;
  task(id: string): Task | undefined;
  recipe(id: string): Recipe | undefined;
  recipes: string[];
  /** Throws where no server answers, or what it says can't be read. null: nobody can be asked. */
  look(runId: string): Promise<LiveRun | null>;
  /** Throws Refused. `run` is the one to look at afterwards. */
  act(wish: Wish): Promise<{ run: string; said: string }>;
  log(entry: LogEntry): void;
}

export interface LogEntry {
  level: 'info' | 'warn' | 'error';
  code: string;
  status?: number;
  method?: string;
  /** As it was asked for, cut; how many like it went unlogged. */
  target?: string;
  unlogged?: number;
  message: string;
}
