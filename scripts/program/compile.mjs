/**
 * The program as JavaScript, one file an entry, compiled once per content of the sources: what tsx would do file by file in
 * each of five processes, at half a second of processor time each.
 *
 *   await compiled('workers/main.ts') → <checkout>/node_modules/.cache/startrail/<digest>/workers-main/main.mjs
 *
 * Never stale: the digest is taken over every source and the lock file at every start, which takes some 20 ms. It lies in
 * node_modules because packages are not compiled in and must be found from there; a fresh `npm ci` takes it away too.
 *
 * Modules keep the `import.meta.url` of their sources: what they start or read lies beside those.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { projectFolder } from '../setup/locate.mjs';

const ENTRIES = ['cli/main.ts', 'workers/main.ts', 'engine/child.ts', 'engine/tfjs/pretrained/child.ts'];
/** Not part of the program. Anything else is, so that a new folder needs no entry here. */
const APART = new Set(['node_modules', 'test', 'bench', 'docs', 'coverage']);
const KEPT_MS = 30 * 86_400_000;

const placeOf = (entry) => entry.replaceAll('/', '-').replace(/\.ts$/, '');

/** Every source of the program, by its path from the checkout, sorted; this one is among them. */
export const sources = (root) => {
  const found = [];
  const look = (folder) => {
    for (const entry of readdirSync(path.join(root, folder), { withFileTypes: true })) {
      if (entry.name.startsWith('.') || (folder === '' && APART.has(entry.name))) continue;
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) look(name);
      else if (/\.m?[jt]s$/.test(name)) found.push(name);
    }
  };
  look('');
  return found.sort();
};

const digestOf = (root) => {
  // Of the place too: a copied checkout brings this folder along, whose modules have the addresses they had there.
  const hash = createHash('sha256').update(`${root}\n`);
  for (const file of [...sources(root), 'package-lock.json']) {
    const bytes = readFileSync(path.join(root, file));
    hash.update(`${file}\n${bytes.length}\n`).update(bytes);
  }
  return hash.digest('hex').slice(0, 24);
};

/** Gives every module the address of its source. */
const ownAddress = {
  name: 'own-address',
  setup(build) {
    build.onLoad({ filter: /\.m?[jt]s$/ }, ({ path: file }) => ({
      contents: readFileSync(file, 'utf8').replaceAll('import.meta.url', JSON.stringify(pathToFileURL(file).href)),
      loader: file.endsWith('.ts') ? 'ts' : 'js',
      resolveDir: path.dirname(file),
    }));
  },
};

/** Each entry by itself: its pieces are few and its own. */
const compile = async (root, folder) => {
  const { build } = await import('esbuild');
  const entries = ENTRIES.filter((entry) => existsSync(path.join(root, entry)));
  const one = (entry) =>
    build({
      absWorkingDir: root,
      entryPoints: { main: entry },
      outdir: path.join(folder, placeOf(entry)),
      outExtension: { '.js': '.mjs' },
      bundle: true,
      // What a verb or an engine alone needs stays apart, and is loaded when it is asked for.
      splitting: true,
      packages: 'external',
      format: 'esm',
      platform: 'node',
      target: 'node20',
      // Stack traces name the sources; their text is read from where they are.
      sourcemap: 'linked',
      sourcesContent: false,
      logLevel: 'silent',
      plugins: [ownAddress],
    });
  await Promise.all(entries.map(one));
};

/** Those that no start has asked for in so long; a younger one may be running, and load a piece of itself yet. */
const sweep = (cache) => {
  for (const name of readdirSync(cache)) {
    const folder = path.join(cache, name);
    if (Date.now() - statSync(folder).mtimeMs > KEPT_MS) rmSync(folder, { recursive: true, force: true });
  }
};

/** File of a compiled entry, made now if need be. Throws where it cannot be made. */
export const compiled = async (entry, root = projectFolder()) => {
  const cache = path.join(root, 'node_modules', '.cache', 'startrail');
  for (;;) {
    const digest = digestOf(root);
    const folder = path.join(cache, digest);
    const file = path.join(folder, placeOf(entry), 'main.mjs');
    if (existsSync(file)) {
      utimesSync(folder, new Date(), new Date());
      return file;
    }
    mkdirSync(cache, { recursive: true });
    const half = mkdtempSync(path.join(cache, 'half-'));
    try {
      await compile(root, half);
      // Somebody who saves a file meanwhile must not leave it under the name of what it was before.
      if (digestOf(root) !== digest) continue;
      renameSync(half, folder);
      sweep(cache);
    } catch (error) {
      // Another process was faster, and its folder is as good.
      if (!existsSync(file)) throw error;
    } finally {
      rmSync(half, { recursive: true, force: true });
    }
  }
};
