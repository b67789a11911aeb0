/**
 * The digest of what a task *is*: its own files, its verifiers' and prompts', and everything they import.
 *
 *   await implementationDigest(addition)   // sha256:…; another one as soon as a parser or prompt is edited
 *
 * It enters every memo key, so that an edit re-does exactly what depends on it. Files are named by their way from the task's
 * own file, so that it is the same wherever the checkout lies.
 *
 * Limits: imports are found by pattern, not by a parser: relative ones with a literal path. `import type` is left out, as
 * nothing of it exists at run time; packages are left out too (they stand in the engine's fingerprint and the lock file). A
 * prompt kept in a file of its own must be listed in `task.modules`.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Digest } from '../schemas/artifact.ts';
import type { Task } from './task.ts';

const CODE = /\.[cm]?[jt]s$/;
const IMPORTS = [
  /^\s*(?:import|export)\s+(?!type\b)[^'"`;]*?\bfrom\s*['"](\.[^'"]+)['"]/gm,
  /^\s*import\s*['"](\.[^'"]+)['"]/gm,
  /\bimport\(\s*['"](\.[^'"]+)['"]/g,
];

/** Relative imports of a module's text, those of types apart. */
function importsOf(text: string): string[] {
  return IMPORTS.flatMap((pattern) => [...text.matchAll(pattern)].map((found) => found[1]!));
}

/** The files a task consists of, with their bytes, by the path that leads to them from the task's own file. */
async function filesOf(task: Pick<Task, 'id' | 'modules'>): Promise<Map<string, Buffer>> {
  const [own] = task.modules;
  if (!own) throw new Error(`task "${task.id}" lists no modules; it must list at least its own file`);
  const folder = new URL('.', own);
  const files = new Map<string, Buffer>();
  const waiting = [...task.modules];
  for (let url = waiting.pop(); url; url = waiting.pop()) {
    const name = path.relative(fileURLToPath(folder), fileURLToPath(url)).replaceAll(path.sep, '/');
    if (files.has(name)) continue;
    const bytes = await readFile(url);
    files.set(name, bytes);
    if (CODE.test(name)) for (const found of importsOf(bytes.toString('utf8'))) waiting.push(new URL(found, url));
  }
  return files;
}

/** Names of the files that enter the digest, relative to the task's own folder, sorted: for `show` and for tests. */
export async function implementationFiles(task: Pick<Task, 'id' | 'modules'>): Promise<string[]> {
  return [...(await filesOf(task)).keys()].sort();
}

/**
 * sha256 over the names and contents of the task's files.
 *
 * Reads the disk when called. A worker calls it once, when it starts: what it runs is what it loaded then.
 * @throws Error of the file system if a file that is listed or imported does not exist.
 */
export async function implementationDigest(task: Pick<Task, 'id' | 'modules'>): Promise<Digest> {
  const hash = createHash('sha256');
  const files = [...(await filesOf(task))].sort(([x], [y]) => (x < y ? -1 : 1));
  // Lengths in front of both parts, so that no two sets of files can run together into the same bytes.
  for (const [name, bytes] of files)
    hash
      .update(`${Buffer.byteLength(name)} ${bytes.length}\n`)
      .update(name)
      .update(bytes);
  return `sha256:${hash.digest('hex')}`;
}
