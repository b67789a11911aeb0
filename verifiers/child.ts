/**
 * The process a task's verifier runs in; started by `verifiers/host.ts` as
 * `node --import tsx verifiers/child.ts <module> <memory in MB>`, where the module's default export is the task.
 *
 * A thread of its own ends it, whatever the verifier's loop does, when its parent is gone or its memory is used up: a
 * verifier may fill buffers that no limit of the JavaScript heap knows of.
 */
import { Worker } from 'node:worker_threads';
import { OUT_OF_MEMORY } from './host.ts';
import type { FromVerifier, ToVerifier } from './host.ts';
import { judgeOne } from './judge.ts';
import type { Judging } from './judge.ts';

const WATCH = `
  const { Socket } = require('node:net');
  const { writeSync } = require('node:fs');
  const { workerData } = require('node:worker_threads');
  const gone = () => process.kill(process.pid, 'SIGKILL');
  new Socket({ fd: 0, readable: true, writable: false }).on('end', gone).on('error', gone).on('close', gone).resume();
  setInterval(() => {
    if (process.memoryUsage.rss() < workerData.bytes) return;
    writeSync(2, workerData.word + '\\n');
    gone();
  }, 50);
`;

const send = (message: FromVerifier): void => {
  if (process.connected) process.send!(message);
};

const [, , module = '', memory = '0'] = process.argv;
// Node itself, the module and its imports are in memory before the verifier has asked for anything.
const bytes = process.memoryUsage.rss() + Number(memory) * 2 ** 20;
new Worker(WATCH, { eval: true, execArgv: [], workerData: { bytes, word: OUT_OF_MEMORY } }).unref();
process.on('disconnect', () => process.exit(0));
process.on('SIGINT', () => undefined);
// What a verifier leaves unheard is not about the row that happens to be judged now.
process.on('unhandledRejection', () => undefined);

const { default: task } = (await import(module)) as { default: Judging };
process.on('message', ({ id, problem, text, timeoutMs, known, vote }: ToVerifier) => {
  void judgeOne(task, problem, text, { timeoutMs, known, vote }).then((found) => send({ id, ...found }));
});
send({ ready: true });
