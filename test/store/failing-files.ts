/** File systems that fail at a chosen moment. */
import { type FileSystem, realFileSystem } from '../../store/durable-files.ts';

export class Killed extends Error {}

/**
 * Dies at call number `at` (1-based) and stays dead: what a SIGKILL does, at each system call in turn. A write in flight
 * leaves half its bytes. `calls()` tells how many calls were made.
 */
export function dyingFileSystem(at: number): { fs: FileSystem; calls: () => number } {
  let calls = 0;
  const step = () => {
    calls++;
    if (calls >= at) throw new Killed(`killed at call ${calls}`);
  };
  const fs = new Proxy(realFileSystem, {
    get(target, name: keyof FileSystem) {
      return async (...args: unknown[]) => {
        step();
        const result: unknown = await (target[name] as (...args: unknown[]) => Promise<unknown>)(...args);
        return name === 'open' ? dyingHandle(result as object, step) : result;
      };
    },
  });
  return { fs, calls: () => calls };
}

function dyingHandle(handle: object, step: () => void): object {
  return new Proxy(handle, {
    get(target, name) {
      const found: unknown = Reflect.get(target, name);
      if (typeof found !== 'function') return found; // `then` above all: a handle is no promise
      const member = found as (...args: unknown[]) => Promise<unknown>;
      return async (...args: unknown[]) => {
        if (name === 'close') return member.apply(target, args); // a dead process holds no files open
        try {
          step();
        } catch (killed) {
          const [data] = args;
          if (name === 'writeFile' && data instanceof Uint8Array) {
            await member.call(target, data.subarray(0, data.length / 2));
          }
          throw killed;
        }
        return member.apply(target, args);
      };
    },
  });
}

/** Fails the named calls (also those of file handles) with this code. */
export function failingFileSystem(code: string, names: string[]): FileSystem {
  const fail = () => {
    throw Object.assign(new Error(`${code}: injected`), { code });
  };
  return new Proxy(realFileSystem, {
    get(target, name: keyof FileSystem) {
      return async (...args: unknown[]) => {
        const flags = name === 'open' && typeof args[1] === 'string' && args[1].startsWith('w') ? 'create' : name;
        if (names.includes(flags)) fail();
        const result: unknown = await (target[name] as (...args: unknown[]) => Promise<unknown>)(...args);
        if (name !== 'open') return result;
        return new Proxy(result as object, {
          get(handle, member) {
            if (names.includes(String(member))) return async () => fail();
            const found: unknown = Reflect.get(handle, member);
            return typeof found === 'function' ? (found.bind(handle) as unknown) : found;
          },
        });
      };
    },
  });
}

/** Writes down, in order, each `write`, `sync`, `link` and `rename` with the path it is done to. */
export function recordingFileSystem(log: string[]): FileSystem {
  return {
    ...realFileSystem,
    open: (async (file: string, flags: string, mode?: number) => {
      const handle = await realFileSystem.open(file, flags, mode);
      const sync = handle.sync.bind(handle);
      const writeFile = handle.writeFile.bind(handle);
      handle.sync = () => (log.push(`sync ${file}`), sync());
      handle.writeFile = (...args) => (log.push(`write ${file}`), writeFile(...args));
      return handle;
    }) as FileSystem['open'],
    link: (from, to) => (log.push(`link ${String(to)}`), realFileSystem.link(from, to)),
    rename: (from, to) => (log.push(`rename ${String(to)}`), realFileSystem.rename(from, to)),
  };
}
