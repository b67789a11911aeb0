/**
 * Where set-up put things. Imported by set-up itself, by `bin/startrail` and by the program (types: locate.d.mts).
 *
 * Nothing here downloads, builds or starts anything, so it is cheap enough for every start.
 */
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { machine, temporalVersion } from './pins.mjs';

/** The checkout that this file belongs to. */
export const projectFolder = () => resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Built and downloaded things live outside the checkout, so that a second clone needs neither. */
export const cacheFolder = (env = process.env) => {
  const set = env.XDG_CACHE_HOME;
  // The XDG rule: a relative path is to be ignored.
  if (set !== undefined && set !== '' && isAbsolute(set)) return join(set, 'startrail');
  if (process.platform === 'win32')
    return join(env.LOCALAPPDATA || join(homedir(), 'AppData', 'Local'), 'startrail', 'cache');
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'startrail');
  return join(homedir(), '.cache', 'startrail');
};

export const bindingPackage = (root = projectFolder()) => join(root, 'node_modules', '@tensorflow', 'tfjs-node-gpu');

/** Where the package looks for the binding: Node-API 8, which every supported Node offers. */
export const bindingPlace = (root = projectFolder()) =>
  join(bindingPackage(root), 'lib', 'napi-v8', 'tfjs_binding.node');

/** @returns {string | undefined} the binding, if it is in place */
export const locateBinding = (root = projectFolder()) => {
  const place = bindingPlace(root);
  return existsSync(place) ? place : undefined;
};

/** Inside node_modules, so that a fresh `npm ci`, which takes the binding away, takes the stamp away too. */
export const stampFile = (root = projectFolder()) => join(root, 'node_modules', '.startrail-setup.json');

/** @returns {Record<string, any> | undefined} what the last good set-up wrote down */
export const readStamp = (root = projectFolder()) => {
  try {
    const stamp = JSON.parse(readFileSync(stampFile(root), 'utf8'));
    return typeof stamp === 'object' && stamp !== null ? stamp : undefined;
  } catch {
    return undefined;
  }
};

const executableName = process.platform === 'win32' ? 'temporal.exe' : 'temporal';

export const cachedTemporal = (source, env = process.env) =>
  join(cacheFolder(env), 'temporal', `${source}-${temporalVersion}-${machine}`, executableName);

const isExecutable = (file) => {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
};

/** @returns {string | undefined} the first executable of that name on PATH */
export const onPath = (name, env = process.env) => {
  const names = process.platform === 'win32' ? [`${name}.exe`, `${name}.cmd`] : [name];
  for (const folder of (env.PATH ?? env.Path ?? '').split(delimiter)) {
    for (const candidate of names) {
      if (folder !== '' && isExecutable(join(folder, candidate))) return join(folder, candidate);
    }
  }
  return undefined;
};

/** In the order in which they are looked for when there is nothing named and nothing on PATH. */
export const temporalSources = ['sdk', 'wheel', 'go'];

/**
 * The Temporal CLI, which holds the server: the one named in STARTRAIL_TEMPORAL, else the one set-up settled on, else the
 * first on PATH, else the cache. Only set-up checks versions, so what it settled on comes before PATH.
 *
 * @returns {string | undefined}
 */
export const locateTemporal = (env = process.env, root = projectFolder()) => {
  const named = env.STARTRAIL_TEMPORAL;
  if (named !== undefined && named !== '') return isExecutable(resolve(named)) ? resolve(named) : undefined;
  const settled = readStamp(root)?.temporal?.path;
  if (typeof settled === 'string' && isExecutable(settled)) return settled;
  const found = onPath('temporal', env);
  return found ?? temporalSources.map((source) => cachedTemporal(source, env)).find(isExecutable);
};
