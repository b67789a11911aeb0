/**
 * What a model may write into a program, and tries to reach, change, fill or occupy with it. Each attempt gets its answer as a
 * text, the same each time, and the process it ran in, or a fresh one, runs the next program right.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProgramRunner, PROGRAM_LIMITS } from '../../tools/program.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'startrail-program-'));
const secret = path.join(folder, 'secret');
writeFileSync(secret, 'the secret');
const to = path.join(folder, 'written');

/** A listener that nobody may reach. */
let visits = 0;
const listener = createServer((socket) => {
  visits++;
  socket.destroy();
});
beforeAll(() => new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve)));
const address = () => `127.0.0.1:${(listener.address() as AddressInfo).port}`;

const NOT_THERE = /^error: ReferenceError/;
const NO_MODULE = /could not load module|error: SyntaxError/;
const STEPS = /^error: it takes too many steps$/;
const MEMORY =
  /^error: (?:InternalError: out of memory|it takes too much memory|InternalError: string too long|RangeError)/;
const PRINTS = /^error: it prints too much$/;
const DEEP = /^error: InternalError: stack overflow$/;
const LONG = /^error: it takes too long$/;
const JOBS = /^error: it (?:leaves too many jobs behind|takes too many steps)$/;
const nothing = /^(?:undefined)?$/;

/** What is tried, and what it is answered. */
const ATTEMPTS: [string, string | (() => string), RegExp][] = [
  // files
  ['requires the file system', `require('fs').readFileSync(${JSON.stringify(secret)})`, NOT_THERE],
  ['imports the file system', `import fs from 'fs'; print(fs)`, NO_MODULE],
  ['imports the file system later', `import('node:fs').then((fs) => print('got', fs), (e) => print(e))`, NO_MODULE],
  ['imports a file by its path', `import(${JSON.stringify(secret)}).then(print, print)`, NO_MODULE],
  ["imports QuickJS's own std", `import('std').then((std) => print(std.open), print)`, NO_MODULE],
  [
    "imports QuickJS's own os",
    `import('os').then((os) => os.exec(['touch', ${JSON.stringify(to)}]), print)`,
    NO_MODULE,
  ],
  ["looks for QuickJS's std and os as globals", 'print(typeof std, typeof os)', /^undefined undefined$/],
  ['reads a script from a file', `load(${JSON.stringify(secret)})`, NOT_THERE],
  ['asks Deno for a file', `Deno.readTextFileSync(${JSON.stringify(secret)})`, NOT_THERE],
  ["writes through emscripten's file system", `FS.writeFile(${JSON.stringify(to)}, 'x')`, NOT_THERE],
  [
    "reaches for emscripten's module",
    'print(typeof Module, typeof HEAP8, typeof wasmMemory)',
    /^undefined undefined undefined$/,
  ],
  // network
  ['fetches', () => `fetch('http://${address()}/')`, NOT_THERE],
  ['opens a web socket', () => `new WebSocket('ws://${address()}/')`, NOT_THERE],
  ['sends an XMLHttpRequest', 'new XMLHttpRequest()', NOT_THERE],
  ['imports over the network', () => `import('http://${address()}/x.js').then(print, print)`, NO_MODULE],
  // the process
  ['reads the environment', 'process.env', NOT_THERE],
  ['ends the process', 'process.exit(1)', NOT_THERE],
  ['starts a process', `require('child_process').execSync('touch ${to}')`, NOT_THERE],
  ['asks for native bindings', "process.binding('spawn_sync')", NOT_THERE],
  ['makes a thread', "new Worker('x')", NOT_THERE],
  ['sends itself a message', 'postMessage(1)', NOT_THERE],
  ['waits for a timer', 'setTimeout(() => print(1), 0)', NOT_THERE],
  ['makes WebAssembly', 'new WebAssembly.Memory({ initial: 65536 })', NOT_THERE],
  // constructors and eval
  ['takes the global object by Function', "print(typeof new Function('return this')().process)", /^undefined$/],
  [
    'takes it by the constructor of a constructor',
    "print([].constructor.constructor('return typeof process')())",
    /^undefined$/,
  ],
  ['takes it by the constructor of print', "print(print.constructor('return typeof require')())", /^undefined$/],
  ['takes it by an async function', "(async () => {}).constructor('print(typeof process)')()", /^undefined$/],
  [
    'takes it by a generator',
    "print((function* () {}).constructor('yield typeof process')().next().value)",
    /^undefined$/,
  ],
  ['evaluates', "eval('typeof process + typeof require')", /^undefinedundefined$/],
  ['evaluates indirectly', "(0, eval)('this').print === print", /^true$/],
  ['walks up the callers', 'function f() { return f.caller } f()', /^(?:null|undefined|error: TypeError.*)?$/],
  ['asks for the arguments of its caller', 'print(print.arguments)', /^(?:null|undefined|error: TypeError.*)$/],
  // prototypes
  ['replaces the prototype of texts', "String.prototype.toString = () => { throw 'x' }; print('a' + 1)", /^a1$/],
  ['replaces String', "String = () => { throw new Error('mine') }; print(6 * 7)", /^42$/],
  ['replaces join and slice', 'Array.prototype.join = Array.prototype.slice = () => "hacked"; print(1, 2)', /^1 2$/],
  ['gives every object a then', 'Object.prototype.then = function (f) { f(41) }; print(6 * 7)', /^42$/],
  ['gives every object a text of its own', "Object.prototype.toString = () => 'mine'; ({})", /^mine$/],
  [
    'gives every array an iterator without end',
    'Array.prototype[Symbol.iterator] = function* () { for (;;) yield 1 }; print(...[1])',
    STEPS,
  ],
  [
    'sets a prototype in a circle',
    'const a = {}; const b = Object.create(a); Object.setPrototypeOf(a, b)',
    /^error: TypeError/,
  ],
  ['lies about its length', 'print({ length: 1e9, toString: () => "short" })', /^short$/],
  [
    'throws while it is made a text',
    "({ toString() { throw new Error('from toString') } })",
    /^error: Error: from toString$/,
  ],
  ['loops while it is made a text', '({ toString() { for (;;); } })', STEPS],
  ['loops in a getter of what it throws', 'throw { get message() { for (;;); } }', STEPS],
  [
    'throws a proxy that answers anything',
    "throw new Proxy({}, { get: () => 'x'.repeat(1e6) })",
    /^error: x{100,120}…?/,
  ],
  ['throws a text without end', "throw new Error('y'.repeat(1e6))", /^error: Error: y{50,120}…$/],
  ['throws nothing', 'throw undefined', /^error: /],
  // without end
  ['loops', 'while (true);', STEPS],
  ['loops and catches what ends it', 'for (;;) try { for (;;); } catch { continue }', STEPS],
  ['loops in finally', 'try { while (true); } finally { while (true); }', STEPS],
  ['recurses', 'const f = () => 1 + f(); f()', DEEP],
  [
    'recurses and catches it each time',
    'const f = () => { try { f() } catch { f() } }; f()',
    /^error: it takes too (?:long|many steps)$/,
  ],
  ['recurses through JSON', 'let a = []; for (let i = 0; i < 1e4; i++) a = [a]; JSON.stringify(a).length', DEEP],
  [
    'recurses through a regular expression',
    "'('.repeat(3e4) && new RegExp('('.repeat(3e4) + ')'.repeat(3e4))",
    /^error: /,
  ],
  ['matches a catastrophe', "/(a+)+$/.test('a'.repeat(40) + 'b')", /^error: /],
  ['matches another', String.raw`/^(\w+\s?)*$/.test('aaaa '.repeat(12) + '!')`, /^error: /],
  ['waits for ever', '(async () => { for (;;) await 0 })()', JOBS],
  ['makes promises that make promises', 'const f = () => Promise.resolve().then(f); f(); f()', JOBS],
  ['resolves in its own job for ever', 'Promise.resolve().then(() => { for (;;); })', STEPS],
  ['waits for what never comes', 'await0 = new Promise(() => {}); undefined', nothing],
  ['sorts with a comparison that never ends', '[3, 1, 2].sort(() => { for (;;); })', STEPS],
  ['searches an array that is not there', 'Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)', LONG],
  ['sleeps in Atomics', 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)', /^error: /],
  // memory and output
  ['fills the memory with texts', "const a = []; for (;;) a.push('x'.repeat(1000) + a.length)", MEMORY],
  ['fills the memory with objects', 'const a = []; for (;;) a.push({})', MEMORY],
  ['asks for an array of a thousand million', 'new Array(1e9).fill(0)', MEMORY],
  ['asks for a buffer of four gigabytes', 'new ArrayBuffer(4e9)', MEMORY],
  ['asks for a gigabyte of text', "'x'.repeat(1e9)", MEMORY],
  ['doubles a text for ever', "let s = 'x'; for (;;) s += s", MEMORY],
  ['pads a text to two gigabytes', "'x'.padEnd(2 ** 31 - 2, 'y')", MEMORY],
  ['raises a number to the ten-millionth', '2n ** 10000000n', MEMORY],
  ['multiplies large numbers for ever', 'let n = 3n; for (;;) n *= n', /^error: /],
  ['writes a large number out', '(2n ** 200000n).toString().length', /^60206$|^error: /],
  ['prints for ever', 'for (;;) print(1)', PRINTS],
  ['prints for ever and catches it', 'for (;;) try { print(1) } catch { continue }', PRINTS],
  ['prints a megabyte', "print('x'.repeat(1e6))", PRINTS],
  ['ends with a megabyte', "'x'.repeat(1e6)", PRINTS],
  // what differs from run to run
  ['asks for the time', 'Date.now() + new Date().getFullYear()', /^1970$/],
  ['asks for the local time', 'new Date(0).toString()', /GMT\+0000/],
  ['tells when an object is collected', 'print(typeof gc)', /^undefined$/],
];

const runner = createProgramRunner();
afterAll(() => {
  runner.close();
  listener.close();
});

/** Processes that the sandbox started. */
const childrenOf = (pid: number): string =>
  readdirSync(`/proc/${pid}/task`)
    .map((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim())
    .join(' ')
    .trim();

describe('a model that writes something else than a sum into a program', () => {
  it(`tries at least 45 ways (${ATTEMPTS.length})`, () => {
    expect(ATTEMPTS.length).toBeGreaterThanOrEqual(45);
  });

  it.each(ATTEMPTS)(
    'and %s is answered by a short text, and the next program runs right',
    async (_, program, answer) => {
      const text = await runner.run(typeof program === 'string' ? program : program());
      expect(text).toMatch(answer);
      expect(text.length).toBeLessThanOrEqual(PROGRAM_LIMITS.outputChars);
      expect(await runner.run('print(6 * 7)')).toBe('42');
      if (existsSync('/proc/self/task')) expect(childrenOf(runner.pid()!)).toBe('');
    },
    300_000,
  );

  it('leaves the folder as it was and has not been heard on the network', () => {
    expect(readdirSync(folder)).toEqual(['secret']);
    expect(visits).toBe(0);
  });
});
