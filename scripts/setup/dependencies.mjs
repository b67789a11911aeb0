/**
 * The npm packages, exactly as package-lock.json says, with install scripts off.
 *
 * "In line" is judged without npm: npm keeps the tree it made in node_modules/.package-lock.json, written last. Packages for
 * other platforms are missing there by design, so only non-optional ones must be present; none may be there in another version.
 */
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './child.mjs';
import { cacheFolder, onPath } from './locate.mjs';
import { noteWorker, waitForWorker } from './lock.mjs';
import { SetupFailure } from './failure.mjs';

/** @returns {string | undefined} the first thing in which node_modules differs from the lock */
export const dependencyProblem = (root) => {
  const lock = readPackages(join(root, 'package-lock.json'));
  const installed = readPackages(join(root, 'node_modules', '.package-lock.json'));
  if (lock === undefined) return 'package-lock.json is missing or unreadable';
  if (installed === undefined) return 'node_modules is missing or was left half-installed';
  for (const [place, wanted] of Object.entries(lock)) {
    if (place === '' || wanted.link) continue;
    const there = installed[place];
    if (there === undefined) {
      if (wanted.optional || wanted.devOptional || wanted.peer) continue;
      return `${place} is not installed`;
    }
    if (there.version !== wanted.version || there.integrity !== wanted.integrity) {
      return `${place} is ${there.version}, the lock wants ${wanted.version}`;
    }
  }
  for (const place of Object.keys(installed)) {
    if (lock[place] === undefined) return `${place} is not in the lock`;
    if (!existsSync(join(root, place, 'package.json'))) return `${place} has been deleted`;
  }
  return undefined;
};

const readPackages = (file) => {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch {
    return undefined;
  }
};

/** The npm that runs us, else the one on PATH. */
const npm = (env) => {
  const script = env.npm_execpath;
  if (script !== undefined && /npm-cli\.c?js$/.test(script) && existsSync(script)) return [process.execPath, script];
  const found = onPath('npm', env);
  return found === undefined ? undefined : [found];
};

export const provideDependencies = async ({ root, env = process.env, runner = run, onWait }) => {
  // A link leads into somebody else's tree; `npm ci` would empty that.
  if (lstatSync(join(root, 'node_modules'), { throwIfNoEntry: false })?.isSymbolicLink()) {
    throw new SetupFailure(
      `node_modules is a link and not in line with package-lock.json (${dependencyProblem(root)})`,
      'remove the link and run this again, or bring the tree it leads to in line where that lies',
    );
  }
  const command = npm(env);
  if (command === undefined) {
    throw new SetupFailure('npm is not on PATH', 'install npm (it comes with Node), then run this again');
  }
  // --include=dev: NODE_ENV=production would otherwise leave out what `npm test` needs.
  const args = [...command.slice(1), 'ci', '--ignore-scripts', '--include=dev', '--no-audit', '--no-fund'];
  // An npm that outlived a killed set-up goes on writing to node_modules, and two at once break each other.
  const checkout = createHash('sha256').update(root).digest('hex').slice(0, 16);
  const worker = join(cacheFolder(env), 'locks', `npm-${checkout}.pid`);
  await waitForWorker(worker, { onWait });
  const { ok, why } = await runner(command[0], args, {
    onStart: (pid) => noteWorker(worker, pid),
    cwd: root,
    env,
    timeoutMs: 20 * 60_000,
    shell: process.platform === 'win32' && command.length === 1,
  });
  rmSync(worker, { force: true });
  const problem = ok ? dependencyProblem(root) : why;
  if (problem !== undefined) {
    throw new SetupFailure(
      `\`npm ci --ignore-scripts\` in ${root} failed: ${problem}`,
      'check the network and npm’s registry setting, run that command to see all of its output, then `npm run setup`',
    );
  }
};
