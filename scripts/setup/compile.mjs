/**
 * Compiles the C++ binding that `@tensorflow/tfjs-node-gpu` ships as source, against a TensorFlow C library.
 *
 * Node-API keeps one binding good for every Node from 20 to 26, so the cache key holds no Node version.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { answers, run } from './child.mjs';
import { cached, sha256 } from './cache.mjs';
import { bindingPackage } from './locate.mjs';
import { machine } from './pins.mjs';
import { SetupFailure } from './failure.mjs';

const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'];

/** $CXX first; it may hold arguments ("ccache g++"). */
export const findCompiler = (env = process.env) => {
  const named = env.CXX?.trim();
  if (named) {
    const [command, ...args] = named.split(/\s+/);
    if (answers(command, [...args, '--version'])) return [command, ...args];
    throw new SetupFailure(
      `the C++ compiler named in CXX (${named}) does not answer --version`,
      'correct CXX or unset it',
    );
  }
  const found = ['g++', 'c++', 'clang++'].find((name) => answers(name, ['--version']));
  return found === undefined ? undefined : [found];
};

const compilerCure =
  process.platform === 'darwin'
    ? 'run `xcode-select --install`, then set-up again'
    : 'install one (Debian and Ubuntu: `apt-get install g++`; Fedora: `dnf install gcc-c++`), then run set-up again';

/**
 * @param {{ root: string, include: string, libraries: string[], library: string, onWait?: (owner: string) => void }} options
 *   `include`: folder with `tensorflow/c/c_api.h`; `libraries`: what to link, in the folder they stay in; `library`: name and
 *   version of the library, part of the key.
 * @returns {Promise<string>} the compiled binding, in the cache
 */
export const compiledBinding = async ({ root, include, libraries, library, onWait }) => {
  const folder = join(bindingPackage(root), 'binding');
  const texts = readdirSync(folder)
    .sort()
    .flatMap((name) => [name, readFileSync(join(folder, name))]);
  const rpaths = [...new Set(libraries.map((file) => dirname(file)))];
  const key = `${machine}-${sha256(library, ...rpaths, ...texts).slice(0, 16)}`;
  const name = 'tfjs_binding.node';
  const entry = await cached('binding', key, {
    isWhole: (at) => existsSync(join(at, name)),
    build: async (at) => {
      const compiler = findCompiler();
      if (compiler === undefined)
        throw new SetupFailure('no C++ compiler was found (tried g++, c++, clang++)', compilerCure);
      const [command, ...leading] = compiler;
      const args = [...leading, '-std=c++17', '-O2', '-fPIC', '-DNAPI_VERSION=8'];
      // macOS leaves Node's own symbols to be found at load time only when told so.
      args.push(...(process.platform === 'darwin' ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared']));
      for (const path of [
        folder,
        bindingPackage(root),
        join(root, 'node_modules', 'node-api-headers', 'include'),
        include,
      ]) {
        args.push(`-I${path}`);
      }
      args.push(...sources.map((source) => join(folder, source)), '-o', join(at, name), ...libraries);
      args.push(...rpaths.map((path) => `-Wl,-rpath,${path}`));
      const { ok, why } = await run(command, args, { timeoutMs: 10 * 60_000 });
      if (!ok) {
        throw new SetupFailure(
          `${compiler.join(' ')} could not compile the TensorFlow binding in ${folder}: ${why}`,
          'a compiler for C++17 is needed (g++ 9 or clang 10 and later); name another one in CXX and run set-up again',
        );
      }
    },
    onWait,
  });
  return join(entry.folder, name);
};
