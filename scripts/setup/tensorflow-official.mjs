/**
 * The official way to the binding: the package's own install script, which downloads libtensorflow and a prebuilt binding.
 *
 * It runs on a copy of the package in the cache, because it edits its own package.json and may stop half-way. Its tools come
 * from node_modules through NODE_PATH. The wheel comes first in the default order, because it is what the tests run with.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { answers, run } from './child.mjs';
import { cached } from './cache.mjs';
import { bindingPackage } from './locate.mjs';
import { machine } from './pins.mjs';
import { SetupFailure } from './failure.mjs';

/** About 400 MB with the GPU build; a host that does not answer must not hold set-up up for ever. */
const timeoutMs = 10 * 60_000;

const bindingName = join('lib', 'napi-v8', 'tfjs_binding.node');
const libraryFolder = join('deps', 'lib');
const isWhole = (at) =>
  existsSync(join(at, bindingName)) &&
  existsSync(join(at, libraryFolder)) &&
  readdirSync(join(at, libraryFolder)).some((name) => name.includes('tensorflow'));

/** @param {{ root: string, onWait?: (owner: string) => void }} options */
export const officialBinding = async ({ root, onWait }) => {
  const origin = bindingPackage(root);
  const { version } = JSON.parse(readFileSync(join(origin, 'package.json'), 'utf8'));
  const kind = answers('nvidia-smi', ['-L']) ? 'gpu' : 'cpu';
  const { folder } = await cached('tensorflow-official', `${version}-${machine}-${kind}`, {
    isWhole,
    build: async (at, temporary) => {
      const copy = join(temporary, 'package');
      cpSync(origin, copy, {
        recursive: true,
        filter: (path) => path !== join(origin, 'deps') && path !== join(origin, 'lib'),
      });
      const modules = join(root, 'node_modules');
      const env = {
        ...process.env,
        NODE_PATH: modules,
        PATH: `${join(modules, '.bin')}${delimiter}${process.env.PATH ?? ''}`,
      };
      const { ok, why } = await run(process.execPath, [join('scripts', 'install.js'), kind, 'download'], {
        cwd: copy,
        env,
        timeoutMs,
      });
      if (!ok || !isWhole(copy)) {
        throw new SetupFailure(
          `the install script of @tensorflow/tfjs-node-gpu ${version} did not download its library: ${why || 'no binding came'}`,
          'check the network and the proxy, or use STARTRAIL_TENSORFLOW=wheel',
        );
      }
      for (const name of ['deps', 'lib']) renameSync(join(copy, name), join(at, name));
    },
    onWait,
  });
  // The binding looks for its library in ../../deps/lib, relative to where it lies.
  const link = join(origin, 'deps');
  rmSync(link, { recursive: true, force: true });
  mkdirSync(origin, { recursive: true });
  symlinkSync(join(folder, 'deps'), link, 'junction');
  return { binding: join(folder, bindingName), files: [join(folder, libraryFolder)] };
};
