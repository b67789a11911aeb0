/** What the worker's bundle exports: Temporal finds workflows by these names. */
export { starRun } from './star-run.ts';
export { nightly } from './nightly.ts';
export { fanOut } from './fan-out.ts';
export { starReplay } from './star-replay.ts';
export { starIteration } from './star-iteration.ts';
