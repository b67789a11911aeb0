/**
 * Loaded into every Node process of a siege (NODE_OPTIONS=--import): a clock that jumps, and a disk that is full.
 *
 *   STARTRAIL_SIEGE_CONTROL names a file that is read every few milliseconds:
 *   { "clockMs": -3600000, "full": { "under": "/tmp/…/home", "roles": ["worker", "engine"] } }
 *
 * Clock: Date.now() and new Date() of command line, worker and engine. Timers, file times, the Temporal server, the SDK's
 * native core and workflow code keep the true clock, as they would not on a machine whose clock is set.
 * Full disk: what these processes open for writing, write or sync below that folder fails with ENOSPC, as the kernel would say
 * it. Written through file descriptors it is only noticed where /proc tells their paths (Linux). The Temporal server is not
 * Node: it meets a full disk only where a home lies on a small one.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import { isMainThread } from 'node:worker_threads';

const control = process.env.STARTRAIL_SIEGE_CONTROL;
const ROLES = { 'cli/main.ts': 'cli', 'workers/main.ts': 'worker', 'engine/child.ts': 'engine' };
const LOOK_MS = 20;

// Parts of the program are started by scripts/start.mjs, which is told their name; some by themselves.
const [, script = '', told = ''] = process.argv;
const lastTwo = script.split(path.sep).slice(-2).join('/');
const role = ROLES[lastTwo === 'scripts/start.mjs' ? told : lastTwo];

if (control !== undefined && role !== undefined && isMainThread) {
  let clockMs = 0;
  let full;
  const { existsSync, readFileSync } = fs;
  const look = () => {
    try {
      const asked = JSON.parse(readFileSync(control, 'utf8'));
      clockMs = asked.clockMs ?? 0;
      full = asked.full?.roles.includes(role) ? asked.full.under : undefined;
    } catch {
      // Not there yet, or gone with the siege.
    }
  };
  look();
  setInterval(look, LOOK_MS).unref();

  const TrueDate = Date;
  const now = () => TrueDate.now() + clockMs;
  globalThis.Date = new Proxy(TrueDate, {
    construct: (target, args, made) => Reflect.construct(target, args.length === 0 ? [now()] : args, made),
    apply: () => new TrueDate(now()).toString(),
    get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
  });

  const noSpace = (syscall) =>
    Object.assign(new Error(`ENOSPC: no space left on device, ${syscall}`), { code: 'ENOSPC', errno: -28, syscall });
  const below = (place) => {
    if (full === undefined) return false;
    let file = String(place instanceof URL ? place.pathname : place);
    if (typeof place === 'number')
      try {
        file = fs.readlinkSync(`/proc/self/fd/${place}`);
      } catch {
        return false;
      }
    return path.resolve(file).startsWith(full + path.sep);
  };
  const writes = (flags) => /[wa+]/.test(String(flags ?? 'r')) || (typeof flags === 'number' && (flags & 3) !== 0);
  const fails = {
    // What is there already needs no space to be opened, or found.
    open: (file, flags) => writes(flags) && below(file) && !existsSync(file),
    mkdir: (folder) => below(folder) && !existsSync(folder),
    writeFile: below,
    appendFile: below,
    copyFile: (_, target) => below(target),
    write: below,
    writev: below,
    fsync: below,
  };
  const promised = fs.promises;
  for (const [name, isFull] of Object.entries(fails)) {
    for (const [home, wrap] of [
      [
        fs,
        (act) =>
          (...args) =>
            isFull(...args) ? args.at(-1)(noSpace(name)) : act.apply(fs, args),
      ],
      [
        promised,
        (act) =>
          async (...args) => {
            if (isFull(...args)) throw noSpace(name);
            return act.apply(promised, args);
          },
      ],
    ])
      if (typeof home[name] === 'function') home[name] = wrap(home[name]);
    const sync = `${name}Sync`;
    const act = fs[sync];
    if (typeof act === 'function')
      fs[sync] = (...args) => {
        if (isFull(...args)) throw noSpace(name);
        return act.apply(fs, args);
      };
  }
  const handle = await promised.open(process.execPath, 'r');
  const handles = Object.getPrototypeOf(handle);
  await handle.close();
  for (const name of ['write', 'writev', 'writeFile', 'appendFile', 'sync', 'datasync']) {
    const act = handles[name];
    handles[name] = async function (...args) {
      // Of a folder too: a link that can't be made durable counts as not made.
      if (below(this.fd)) throw noSpace(name);
      return act.apply(this, args);
    };
  }
  syncBuiltinESMExports();
}
