/**
 * Provides the native half of `@tensorflow/tfjs-node-gpu`: the npm package ships JavaScript and C++ source only.
 *
 * STARTRAIL_TENSORFLOW chooses where the library comes from:
 *   (unset)   the tested wheel, then the package's own download
 *   wheel     the pinned PyPI wheel of TensorFlow, of which only the C library and a few headers are used
 *   official  the package's own install script, which downloads libtensorflow 2.9.1 and a binding; GPU build where a GPU is seen
 *   <folder>  a folder that holds the libraries and headers: an unpacked libtensorflow, or `site-packages/tensorflow` of any
 *             Python environment (that of `tensorflow[and-cuda]` is the way to today's CUDA)
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { run } from './child.mjs';
import { cached } from './cache.mjs';
import { compiledBinding } from './compile.mjs';
import { bindingPackage, bindingPlace } from './locate.mjs';
import { headerPrefixes, machine, tensorflowVersion, tensorflowWheels } from './pins.mjs';
import { officialBinding } from './tensorflow-official.mjs';
import { SetupFailure, firstThatWorks } from './failure.mjs';
import { downloadWheel, unpack } from './wheel.mjs';

const cure =
  'remove one of these causes, or name a folder with the libraries in STARTRAIL_TENSORFLOW, then run `npm run setup`';

/**
 * @param {{ root: string, env?: NodeJS.ProcessEnv, onWait?: (owner: string) => void, note?: (line: string) => void }} options
 * @returns {Promise<{ source: string, binding: string, files: string[], detail: string }>} `files`: what must stay where it is
 */
export const provideTensorflow = async ({ root, env = process.env, onWait, note = () => {} }) => {
  const choice = env.STARTRAIL_TENSORFLOW?.trim();
  const sources = choice ? [choice] : ['wheel', 'official'];
  return firstThatWorks({ thing: 'TensorFlow library', sources, cure, note }, async (source) => {
    const provided = await (ways[source] ?? fromFolder)({ root, folder: source, onWait });
    put(provided.binding, root);
    try {
      const detail = await probe(root);
      return { source, binding: bindingPlace(root), files: provided.files, detail };
    } catch (error) {
      rmSync(bindingPlace(root), { force: true }); // a binding that does not load must not look like a good one
      throw error;
    }
  });
};

const fromWheel = async ({ root, onWait }) => {
  const pin = tensorflowWheels[machine];
  if (pin === undefined || isMusl()) {
    throw new SetupFailure(
      `there is no TensorFlow ${tensorflowVersion} wheel for ${machine}${isMusl() ? ' with musl' : ''}`,
      'use STARTRAIL_TENSORFLOW=official or a folder, or a Linux with glibc',
    );
  }
  const { folder } = await cached('tensorflow', `${tensorflowVersion}-${machine}-${pin.sha256.slice(0, 8)}`, {
    isWhole: (at) =>
      Object.values(pin.libraries).every((name) => existsSync(join(at, name))) &&
      existsSync(join(at, 'include', 'tensorflow', 'c', 'c_api.h')),
    build: async (at, temporary) => {
      const wheel = await downloadWheel(pin, temporary);
      await unpack(wheel, (name) => {
        const library = Object.values(pin.libraries).find((each) => name === `tensorflow/${each}`);
        if (library !== undefined) return join(at, library);
        if (name === 'tensorflow/THIRD_PARTY_NOTICES.txt' || name === 'tensorflow/include/LICENSE') {
          return join(at, name.slice(name.lastIndexOf('/') + 1));
        }
        if (headerPrefixes.some((prefix) => name.startsWith(prefix))) return join(at, ...name.split('/').slice(1));
        return undefined;
      });
    },
    onWait,
  });
  const libraries = Object.values(pin.libraries).map((name) => join(folder, name));
  const library = `tensorflow ${pin.sha256}`;
  const binding = await compiledBinding({ root, include: join(folder, 'include'), libraries, library, onWait });
  return { binding, files: libraries };
};

/** The C library is called `tensorflow_cc` in wheels and `tensorflow` in the releases for C. */
const libraryPattern = (stem) => new RegExp(`^lib${stem}(\\.so(\\.\\d+)*|(\\.\\d+)*\\.dylib)$`);

const fromFolder = async ({ root, folder, onWait }) => {
  const start = resolve(folder);
  if (!existsSync(start) || !statSync(start).isDirectory()) {
    throw new SetupFailure(
      `STARTRAIL_TENSORFLOW is ${JSON.stringify(folder)}, which is neither \`wheel\` nor \`official\` nor a folder`,
      'set it to one of these or unset it',
    );
  }
  const places = ['', 'lib', 'tensorflow'].map((name) => join(start, name)).filter((place) => existsSync(place));
  const find = (stem) => {
    for (const place of places) {
      const name = readdirSync(place)
        .filter((each) => libraryPattern(stem).test(each))
        .sort()
        .at(-1);
      if (name !== undefined) return join(place, name);
    }
    return undefined;
  };
  const libraries = [find('tensorflow_cc') ?? find('tensorflow'), find('tensorflow_framework')];
  const header = join('tensorflow', 'c', 'c_api.h');
  const include = ['include', join('tensorflow', 'include')]
    .map((name) => join(start, name))
    .find((place) => existsSync(join(place, header)));
  if (libraries.includes(undefined) || include === undefined) {
    const missing = libraries.includes(undefined)
      ? 'libtensorflow(_cc) and libtensorflow_framework'
      : `include/${header}`;
    throw new SetupFailure(
      `the folder ${start} named in STARTRAIL_TENSORFLOW holds no ${missing}`,
      'name an unpacked libtensorflow, or site-packages/tensorflow of a Python environment',
    );
  }
  const real = libraries.map((file) => realpathSync(file));
  const library = real.map((file) => `${file} ${statSync(file).size} ${statSync(file).mtimeMs}`).join('\n');
  return { binding: await compiledBinding({ root, include, libraries, library, onWait }), files: libraries };
};

const ways = { wheel: fromWheel, official: officialBinding };

/** Copies the binding to where the package looks for it; the copy appears whole. */
const put = (binding, root) => {
  const place = bindingPlace(root);
  if (existsSync(place) && readFileSync(place).equals(readFileSync(binding))) return;
  mkdirSync(dirname(place), { recursive: true });
  const aside = `${place}.${process.pid}`;
  copyFileSync(binding, aside);
  renameSync(aside, place);
};

/** Really loads TensorFlow and multiplies, in a child, since a wrong library may end the process that loads it. */
export const probe = async (root) => {
  const script = `
    const util = require('util');
    util.isNullOrUndefined ??= (v) => v == null; // gone in Node 23; tfjs-node 4.22 calls it
    const tf = require(${JSON.stringify(bindingPackage(root))});
    const [sum] = tf.matMul([[1, 2]], [[3], [4]]).dataSync();
    if (sum !== 11) throw new Error('1·3 + 2·4 gave ' + sum);
    const { TF_Version } = tf.backend().binding;
    process.stdout.write(JSON.stringify({ backend: tf.getBackend(), version: TF_Version }));`;
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3' };
  const { ok, stdout, why } = await run(process.execPath, ['-e', script], { cwd: root, env, timeoutMs: 120_000 });
  if (ok) {
    const { backend, version } = JSON.parse(stdout.slice(stdout.indexOf('{')));
    if (backend === 'tensorflow') return `TensorFlow ${version}`;
  }
  throw new SetupFailure(
    `the TensorFlow binding does not load in Node ${process.versions.node}: ${why || stdout}`,
    'delete the folders tensorflow and binding in the cache (`npm run setup -- --report` names it) and run set-up again',
  );
};

/** glibc's version stands in the process report; on musl there is none. */
const isMusl = () => {
  if (process.platform !== 'linux') return false;
  process.report.excludeNetwork = true; // else it looks up names of open connections
  return process.report.getReport().header.glibcVersionRuntime === undefined;
};
