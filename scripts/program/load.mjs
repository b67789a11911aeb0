/**
 * Runs an entry of the program in this process: compiled if that can be, else through tsx, more slowly and the same.
 *
 *   await load('cli/main.ts');
 */
import module from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { projectFolder } from '../setup/locate.mjs';
import { compiled } from './compile.mjs';

export const load = async (entry) => {
  const root = projectFolder();
  process.setSourceMapsEnabled(true);
  let file;
  try {
    file = await compiled(entry, root);
    // Node 22.1 and later keep what V8 made of a file, packages included.
    module.enableCompileCache?.(path.join(root, 'node_modules', '.cache', 'startrail-v8'));
  } catch {
    // A checkout that this user cannot write, or a source that does not compile: tsx says which and where.
    const { register } = await import('tsx/esm/api');
    // Named, because tsx would otherwise read the tsconfig.json of whatever folder the user stands in.
    register({ tsconfig: path.join(root, 'tsconfig.json') });
    file = path.join(root, entry);
  }
  await import(pathToFileURL(file).href);
};
