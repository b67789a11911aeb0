/**
 * Ports: what may flow between stages, and what every run offers to them.
 *
 *   kept: { use: 'select', in: { rationales: ['judged.correct'] } }      // 'correct' in, 'examples' out
 */
import { z } from 'zod';

/** What may flow through a port. A judged row's type is its verdict, so only right rationales can reach training. */
export const PortType = z.enum([
  'train', // the task's training problems, to draw from
  'dev',
  'test',
  'seeds',
  'problems',
  'rationales',
  'correct',
  'incorrect',
  'unjudged',
  'examples',
  'pairs', // of a right and a wrong rationale of one problem
  'queue', // problems, and when and how well each was last sampled
  'samples', // judged rationales with their reward, right and wrong
  'model',
  'score',
  'ranking',
  'losses', // of held-out text, by part
  'sampling', // how well each of some temperatures does
]);
export type PortType = z.infer<typeof PortType>;

/** What every run offers to its stages besides their own outputs. */
export const SOURCES = {
  $train: 'train',
  $dev: 'dev',
  $test: 'test',
  $seeds: 'seeds',
  /** The model that came out of the iteration before. */
  $model: 'model',
  /** The run's base, made once by `prepare`. */
  $base: 'model',
  /** What the iteration before carried as `kept`; no rows in the first, or where the recipe carries none. */
  $kept: 'examples',
  /** The same of `pairs` and `queue`. */
  $pairs: 'pairs',
  $queue: 'queue',
  /** What the base is made of, an untrained or a pretrained model; only `prepare` starts from it. */
  $fresh: 'model',
} as const satisfies Record<`$${string}`, PortType>;
export type Source = keyof typeof SOURCES;
