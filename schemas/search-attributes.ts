/**
 * Custom search attributes of runs and iterations: an option of the worker, since a namespace must know them beforehand.
 *
 *   temporal workflow list --query 'StartrailRecipe="star" AND StartrailAccuracy > 0.5'
 *
 * Temporal keeps them in plain text, also where payloads are encrypted: names and numbers, never text that a model wrote.
 */
export const SEARCH_ATTRIBUTES = {
  StartrailRecipe: 'Keyword',
  StartrailTask: 'Keyword',
  /** As `show` has it: running, paused, waiting, done … */
  StartrailStatus: 'Keyword',
  /** The last sealed iteration of a run; the number of an iteration. */
  StartrailIteration: 'Int',
  /** Of the best iteration (chosen on dev) on the test split. */
  StartrailAccuracy: 'Double',
} as const;
export type SearchAttribute = keyof typeof SEARCH_ATTRIBUTES;

/** What Temporal calls the types in its answers (`IndexedValueType`). */
export const INDEXED_VALUE_TYPES = { Keyword: 2, Int: 3, Double: 4 } as const;
