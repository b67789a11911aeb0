/**
 * Provides llama.cpp's OpenAI-compatible server (llama-cpp-python) in a Python environment of its own in the cache. Not a part of
 * set-up: the slow tests that ask for it skip with its reason where it cannot be had.
 *
 * There are no wheels of it in the index, and compiling takes 10 minutes on two idle cores: it is done where
 * STARTRAIL_BUILD_LLAMA_CPP=1 asks for it. A wheel that lies in `<cache>/llama-cpp/wheels` is used as it is.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cached } from './cache.mjs';
import { run } from './child.mjs';
import { SetupFailure } from './failure.mjs';
import { cacheFolder } from './locate.mjs';
import { llamaCppVersion, machine } from './pins.mjs';

/** Pictures are not served, and llama.cpp's common library is not used: more than half of the compilation. */
const options = [
  '-DLLAVA_BUILD=OFF',
  `-DCMAKE_PROJECT_llama.cpp_INCLUDE=${fileURLToPath(new URL('llama-cpp.cmake', import.meta.url))}`,
];

const pythonIn = (folder) => join(folder, 'venv', 'bin', 'python');

/**
 * @returns {Promise<string>} path of a Python that has llama_cpp.server
 * @throws {SetupFailure} no wheel and not asked to compile, no Python, no network
 */
export const provideLlamaCpp = async ({ compile = process.env.STARTRAIL_BUILD_LLAMA_CPP === '1' } = {}) => {
  const wheels = join(cacheFolder(), 'llama-cpp', 'wheels');
  const { folder } = await cached('llama-cpp', `${llamaCppVersion}-${machine}`, {
    isWhole: (at) => existsSync(join(at, 'venv', 'pyvenv.cfg')),
    build: async (at) => {
      const made = await run('python3', ['-m', 'venv', join(at, 'venv')], { timeoutMs: 300_000 });
      if (!made.ok) throw new SetupFailure(`python3 -m venv failed: ${made.why}`, 'install python3 and python3-venv');
      const args = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
      if (existsSync(wheels)) args.push('--find-links', wheels);
      if (!compile) args.push('--only-binary', ':all:');
      const { ok, why } = await run(pythonIn(at), [...args, `llama-cpp-python[server]==${llamaCppVersion}`], {
        env: { ...process.env, CMAKE_ARGS: options.map((option) => `'${option}'`).join(' ') },
        timeoutMs: 60 * 60_000,
      });
      if (!ok)
        throw new SetupFailure(
          `pip could not install llama-cpp-python ${llamaCppVersion}: ${why}`,
          `set STARTRAIL_BUILD_LLAMA_CPP=1 to compile it (10 minutes, a C++ compiler), or put its wheel into ${wheels}`,
        );
    },
    onWait: undefined,
  });
  return pythonIn(folder);
};
