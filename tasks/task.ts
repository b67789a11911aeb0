/**
 * Task: a domain in one file. Dropping a file into `tasks/` enrols it (its name is its id) in the contract suite.
 *
 * A task says which problems exist, how a prompt looks with and without the hint, how an answer is read and judged, and
 * what sizes suit it. It never says how a method works: that is a recipe.
 */
import type { z } from 'zod';
import type { TokenizerSpec } from '../schemas/checkpoint.ts';
import type { Problem, Split } from '../schemas/problem.ts';
import type { Recipe } from '../schemas/recipe.ts';
import type { TaskDefaults } from '../schemas/run.ts';
import type { Judgement } from '../verifiers/verifier.ts';
import type { Dataset } from './dataset.ts';

/** A stratum's problems, reachable by number without listing them: five-digit addition has 8.1 billion. */
export interface Stratum {
  id: string;
  size: number;
  /** Deterministic; 0 ≤ index < size. */
  at(index: number): Problem;
}

/** A problem with a rationale that is known to be right (but see `seedsErr`): what the base learns the form from. */
export interface SeedTriple {
  problem: Problem;
  rationale: string;
  /** The same with calls of tools in it, behind the nudge to use them; for tasks that have `prompt.nudged`. */
  withTools?: string;
}

export interface StepCheck {
  sound: boolean;
  /** 0-based line of the completion; null when sound. */
  firstWrongStep: number | null;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the registry holds tasks of every parameter type
export interface Task<P = any> {
  id: string;
  title: string;
  /** Parameters with their defaults, e.g. `{ digits: 5 }`. Unknown keys are refused. */
  parameters: z.ZodType<P>;
  strata(parameters: P): Stratum[];
  /** Which side of the split an identity stands on; a pure function of identity and parameters, never of the run's seed. */
  split(problem: Problem, parameters: P): Split;
  /** Held-out problems of every stratum, at most `perStratum` each; the same for every run. */
  heldOut(split: 'dev' | 'test', parameters: P): Problem[];
  /** Seed triples, all of the train split. */
  seeds(parameters: P, seed: string): SeedTriple[];
  /** The seeds' teacher errs on purpose, so that some rationales are wrong; absent = all are right and sound. */
  seedsErr?: true;
  prompt: {
    free(problem: Problem): string;
    hinted(problem: Problem): string;
    /** With a nudge to use tools, which shows nothing of the answer (START's hint-infer); `rationalize` asks for it by `hint: 'tools'`. */
    nudged?(problem: Problem): string;
    /**
     * Few-shot examples that stand before every prompt of that form when sampling, the same for all problems: engines
     * compute them once. Training never sees them. Absent or '' = none.
     */
    shots?(form: 'free' | 'hinted', parameters: P): string;
    /** The answer without a rationale, behind the free prompt and for the same `parse`: what the direct baselines ask for. */
    direct?: { shots(parameters: P): string; completion(problem: Problem): string };
  };
  /** Texts with which a model goes on to a question of its own: sampling may end there, and `parse` reads no further. */
  stop?: string[];
  /** The gold completion in parts, each of a kind that losses are reported by: for text that is learnt as it stands. */
  parts?(problem: Problem): { text: string; kind: string }[];
  /** The completion a perfect model would give; the contract suite holds that it is accepted. */
  goldCompletion(problem: Problem): string;
  /** Reads the answer out of a completion; null = none. Some answers can be read only by who knows the options. */
  parse(text: string, problem?: Problem): string | null;
  /** Throwing means unjudged. */
  judge(problem: Problem, text: string): Judgement | Promise<Judgement>;
  checkSteps?(problem: Problem, text: string): StepCheck;
  /**
   * What a completion votes for in a majority of several, equal where answers mean the same; null = nothing. What the gold answer
   * says or gives may not enter; where answers are told apart by trying them, what they are tried on may be made for it. Runs where `judge` does; throwing means unjudged. Absent: the answer as `parse` reads it.
   */
  vote?(problem: Problem, text: string): string | null | Promise<string | null>;
  /** What two completions that take the same steps have in common: `dedup: 'steps'` keeps one of them. Absent: the text but for white space. */
  sameSteps?(text: string): string;
  /** Steps of reasoning a completion takes, to hold against those of a human's. */
  stepCount?(text: string): number;
  /**
   * Where `judge` and `checkSteps` run. Absent: in a child process (of the default export of `modules[0]`) with 512 MB, so
   * that a hang, a crash or memory without end costs one row. `trusted`: in the worker, for what is pure and quick.
   */
  judging?: { trusted?: true; memoryMb?: number };
  /** Longest completion worth waiting for, in tokens, end token included. */
  maxNewTokens(problem: Problem): number;
  /** For models trained from scratch; absent: the task needs a pretrained one, which has its own. */
  tokenizer?(parameters: P): TokenizerSpec;
  /** Published files that its problems come from: `resolve` reads them and pins what they held. */
  dataset?: Dataset<P>;
  /** Sizes that suit this task (and this recipe): they go over the recipe's own, under the run's input. */
  defaults(recipe: Recipe, parameters: P): TaskDefaults;
  /** Problems in the input that only the task can see (more digits than the context holds): field and message. */
  check?(parameters: P, context: { contextTokens: number }): { field: string; message: string }[];
  /** Files whose content enters the memo key: editing a prompt, parser or verifier re-does exactly what depends on it. */
  modules: URL[];
}

/** @throws Error for a task that needs a pretrained model; `resolve` has refused it before. */
export function tokenizerOf<P>(task: Task<P>, parameters: P): TokenizerSpec {
  if (!task.tokenizer) throw new Error(`task "${task.id}" has no tokenizer of its own`);
  return task.tokenizer(parameters);
}
