/**
 * The process that programs run in; started by `tools/program.ts` as `node … tools/sandbox.mjs <limits as JSON>`.
 *
 *   { id: 1, program: 'print(6 * 7)' }  →  { id: 1, text: '42' }
 *
 * Each program gets a QuickJS of its own, compiled to WebAssembly: a language without a file, a socket, a process or a module in
 * it, in a memory of its own that cannot grow beyond its limit. Limits are counted in QuickJS's own steps and bytes, so that the
 * same program gets the same answer on a busy machine. A thread of its own ends the process when its parent is gone, or when
 * processor time or memory go beyond what those limits can miss (built-in loops that count no steps).
 *
 * The clock stands still and the random numbers are those of that clock, so that a program gives the same text every time.
 * Plain JavaScript, so that nothing has to be compiled in a process that may read next to nothing.
 */
import { writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import variant from '@jitl/quickjs-wasmfile-release-sync';
import { newQuickJSWASMModuleFromVariant, newVariant } from 'quickjs-emscripten-core';

const limits = JSON.parse(process.argv[2] ?? '{}');
const PAGE = 65_536;
/** What the WebAssembly module takes for itself. */
const FIRST_PAGES = 256;

const WATCH = `
  const { Socket } = require('node:net');
  const { writeSync } = require('node:fs');
  const { workerData: { shared, processorMs, bytes, words } } = require('node:worker_threads');
  const gone = () => process.kill(process.pid, 'SIGKILL');
  new Socket({ fd: 0, readable: true, writable: false }).on('end', gone).on('error', gone).on('close', gone).resume();
  const spent = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1000; };
  let running = 0;
  let since = 0;
  setInterval(() => {
    const now = Atomics.load(shared, 0);
    if (now !== running) { running = now; since = spent(); }
    const word = process.memoryUsage.rss() > bytes ? words.memory
      : running > 0 && spent() - since > processorMs ? words.processor : undefined;
    if (word === undefined) return;
    writeSync(2, word + '\\n');
    gone();
  }, 50);
`;

// WebAssembly asks the host for the time, and QuickJS seeds its random numbers by it.
Date.now = () => 0;

/** Number of the program that runs; 0 between two. */
const shared = new Int32Array(new SharedArrayBuffer(4));
const watch = new Worker(WATCH, {
  eval: true,
  workerData: {
    shared,
    processorMs: limits.processorMs,
    bytes: process.memoryUsage.rss() + limits.processBytes,
    words: limits.words,
  },
});
watch.on('error', (error) => {
  writeSync(2, `${error.stack}\n`);
  process.exit(1);
});
watch.unref();
process.on('disconnect', () => process.exit(0));
process.on('SIGINT', () => undefined);

/**
 * What a program finds besides the language. `hear` takes texts and nothing else; the functions it needs are taken before the
 * program can replace them. The value is what makes text of the program's last value.
 */
const PRELUDE = `((hear) => {
  const { String } = globalThis;
  const print = (...values) => {
    let line = '';
    for (let at = 0; at < values.length; at++) line += (at > 0 ? ' ' : '') + String(values[at]);
    hear(line);
  };
  globalThis.print = print;
  globalThis.console = { log: print };
  return String;
})`;

/** Of a text that may be as long as the memory allows, no more than is used. */
const cut = (text, most) => (text.length > most ? `${text.slice(0, most)}…` : text);

const fresh = () => {
  const maximum = FIRST_PAGES + limits.memoryBytes / PAGE;
  const wasmMemory = new WebAssembly.Memory({ initial: FIRST_PAGES, maximum });
  return newQuickJSWASMModuleFromVariant(newVariant(variant, { wasmMemory }));
};

async function run(quickjs, program) {
  const { memoryBytes, stackBytes, steps, outputChars, jobs } = limits;
  const runtime = quickjs.newRuntime();
  runtime.setMemoryLimit(memoryBytes);
  runtime.setMaxStackSize(stackBytes);
  let ticks = 0;
  let over;
  const stop = (why) => {
    over ??= why;
    return true;
  };
  runtime.setInterruptHandler(() => over !== undefined || (++ticks > steps && stop('it takes too many steps')));
  const context = runtime.newContext();
  const lines = [];
  let printed = 0;
  const hear = context.newFunction('hear', (line) => {
    const length = context.getProp(line, 'length').consume((of) => context.getNumber(of));
    printed += length + 1;
    if (printed > outputChars + 1) {
      stop('it prints too much');
      throw new Error('it prints too much');
    }
    lines.push(context.getString(line));
  });
  const wrong = (handle) => {
    if (over !== undefined) return `error: ${over}`;
    // What is thrown may be anything, with getters of its own.
    const text = (of) => (context.typeof(of) === 'string' ? context.getString(of) : '');
    let said;
    if (context.typeof(handle) === 'object') {
      const [name, message] = ['name', 'message'].map((key) => context.getProp(handle, key).consume(text));
      said = [name, message].filter((one) => one !== '').join(': ');
    } else if (['string', 'number', 'boolean', 'bigint'].includes(context.typeof(handle))) {
      said = context.getString(handle);
    }
    if (over !== undefined) return `error: ${over}`;
    // Where nothing is left to say what is wrong with, it is the memory.
    return `error: ${cut(said || 'it takes too much memory, or throws nothing', limits.errorChars).replace(/\s+/g, ' ')}`;
  };
  const toText = context.callFunction(
    context.unwrapResult(context.evalCode(PRELUDE, 'prelude.js')),
    context.undefined,
    hear,
  );
  const written = context.unwrapResult(toText);
  const result = context.evalCode(program, 'program.js', { type: 'global' });
  if (result.error) return wrong(result.error);
  const rest = runtime.executePendingJobs(jobs);
  if (rest.error) return wrong(rest.error);
  if (runtime.hasPendingJob()) return 'error: it leaves too many jobs behind';
  if (over !== undefined) return `error: ${over}`;
  if (lines.length > 0) return lines.join('\n');
  if (context.typeof(result.value) === 'undefined') return '';
  const last = context.callFunction(written, context.undefined, result.value);
  if (last.error) return wrong(last.error);
  const length = context.getProp(last.value, 'length').consume((of) => context.getNumber(of));
  return length > outputChars ? 'error: it prints too much' : context.getString(last.value);
}

/** Of what QuickJS itself cannot go on with: its memory is thrown away with it. */
const broken = (error) =>
  `error: ${/memory/i.test(String(error)) || error?.message === undefined ? 'it takes too much memory' : 'it breaks what runs it'}`;

process.on('message', async ({ id, program }) => {
  // A QuickJS that cannot be had is no program's fault: it ends the process, and the call is tried again.
  const quickjs = await fresh();
  Atomics.store(shared, 0, id);
  // Nothing is disposed of by hand: each program has a memory of its own, and the collector takes it whole.
  const text = await run(quickjs, program).catch(broken);
  Atomics.store(shared, 0, 0);
  if (process.connected) process.send({ id, text });
});
process.send({ ready: true });
