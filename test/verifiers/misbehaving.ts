/**
 * A task whose verifier misbehaves, in a file of its own as every task: by what the completion says, and while a file says
 * so for one problem (poison) or for all (an outage).
 */
import { existsSync, readFileSync } from 'node:fs';
import addition from '../../tasks/addition.ts';
import type { Task } from '../../tasks/task.ts';
import type { Judgement } from '../../verifiers/verifier.ts';

const forever = (): never => {
  for (;;);
};
/** Memory the heap's limit does not count. */
const fill = (): never => {
  const kept: Buffer[] = [];
  for (;;) kept.push(Buffer.alloc(8 * 2 ** 20, 1));
};
const fillHeap = (): never => {
  const kept: number[][] = [];
  for (;;) kept.push(Array.from({ length: 100_000 }, (_, i) => i));
};
const MISDEEDS: Record<string, () => unknown> = {
  throws: () => {
    throw new Error('no such table');
  },
  hangs: () => new Promise(() => undefined),
  spins: forever,
  fills: fill,
  'fills the heap': fillHeap,
  exits: () => process.exit(3),
  dies: () => process.kill(process.pid, 'SIGKILL') && forever(),
  'tells what it sees': () => {
    throw new Error(`the key is ${process.env.TEMPORAL_API_KEY}, the path ${process.env.PATH ? 'there' : 'missing'}`);
  },
  'is true': () => true,
  'is a score': () => ({ verdict: 'correct', score: 0.9 }),
  'is nothing': () => undefined,
  'is unjudged': () => ({ verdict: 'unjudged', cause: 'by hand' }),
};

/** Names a file; while it is there, it says what cannot be judged: `all`, or the id of one problem. */
export const TROUBLE = 'STARTRAIL_TEST_TROUBLE';
const trouble = (): string | undefined => {
  const file = process.env[TROUBLE];
  return file !== undefined && existsSync(file) ? readFileSync(file, 'utf8') : undefined;
};

export const misbehaving: Task = {
  ...addition,
  id: 'misbehaving',
  judging: { memoryMb: 96 },
  judge: (problem, text) => {
    const misdeed = MISDEEDS[text];
    if (misdeed) return misdeed() as Judgement;
    const now = trouble();
    if (now === 'all') throw new Error('connection refused');
    if (now === problem.id) fill();
    return addition.judge(problem, text);
  },
  modules: [new URL(import.meta.url), ...addition.modules],
};
export default misbehaving;
