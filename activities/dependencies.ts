/** What activities are given by the worker: interfaces only, so that tests can put anything behind them. */
import type { Engine } from '../engine/engine.ts';
import type { Models } from '../engine/models.ts';
import type { Price } from '../schemas/budget.ts';
import type { Notice } from '../schemas/notice.ts';
import type { Recipe } from '../schemas/recipe.ts';
import type { StageRule } from '../schemas/run.ts';
import type { StageKind } from '../schemas/stage.ts';
import type { Store } from '../store/store.ts';
import type { Task } from '../tasks/task.ts';

export interface Span {
  /** ISO time. */
  at: string;
  /** `engine`, `verifier` or `activity`. */
  what: string;
  run: string;
  iteration: number;
  stage: string;
  shard: number;
  seconds: number;
}

export interface Dependencies {
  store: Store;
  /** Engines by the names runs may use. */
  engine(name: string): Engine | undefined;
  engineNames: string[];
  defaultEngine: string;
  /** What an engine costs, where its settings say so. */
  price?(engine: string): Price | undefined;
  /** Pretrained models by the names runs may use. */
  models?: Models;
  recipe(id: string): Recipe | undefined;
  recipeIds: string[];
  task(id: string): Task | undefined;
  taskIds: string[];
  /** Files and folders of problems by the names runs may use. */
  dataRoots?: Record<string, string>;
  /** The folder of published data sets. */
  datasets?: string;
  rules: Record<StageKind, StageRule>;
  /** Shards of one stage under way at once. */
  shardsInFlight: number;
  /** A stage of more shards than this runs in fan-out children. */
  fanOutAbove: number;
  /** The namespace was seen to have the search attributes, so that runs may write them. */
  searchAttributes?: boolean;
  /** Name of the workflow code that this worker's installation runs, as the home keeps it. */
  bundle?: string | undefined;
  /** A snapshot inside a fine-tune every so often. */
  snapshotEveryMs: number;
  /** Tells the targets of the settings; never rejects. */
  notify?(notice: Notice): Promise<void>;
  /** Does `work` in a span of that name, where the worker traces; attributes hold names and numbers alone. */
  trace?<T>(name: string, attributes: Record<string, string | number>, work: () => Promise<T>): Promise<T>;
  /** Where the time of a run goes; kept by the worker, never part of an artifact. */
  span(span: Span): void;
  log: { info(message: string, fields?: object): void; warn(message: string, fields?: object): void };
}
