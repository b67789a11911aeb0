/**
 * The workflow bundle, made once per content of the workflow code and kept in the home: webpack takes seconds, a start with
 * a bundle at hand does not.
 */
import { createHash } from 'node:crypto';
import { access, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { failureConverterPath } from '../connection/codec.ts';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

const root = fileURLToPath(new URL('..', import.meta.url));

export interface BundleOptions {
  /** With failures that keep what they say in a payload. */
  encrypted?: boolean;
  /** Modules of interceptors that make spans. */
  traced?: string[] | undefined;
}

async function contentHash({ encrypted, traced }: BundleOptions): Promise<string> {
  const hash = createHash('sha256');
  for (const folder of ['workflows', 'schemas'])
    for (const file of (await readdir(path.join(root, folder))).sort())
      hash.update(`${folder}/${file}\n`).update(await readFile(path.join(root, folder, file)));
  hash.update(await readFile(path.join(root, 'package-lock.json')));
  if (encrypted) hash.update(await readFile(failureConverterPath));
  if (traced) hash.update(traced.join('\n').replaceAll(root, ''));
  return hash.digest('hex').slice(0, 24);
}

/** Path of a bundle that the home has kept since a run was started with it. Throws BundleMissing. */
export async function keptBundle(home: string, name: string): Promise<string> {
  const file = path.join(home, 'bundles', `${path.basename(name)}.js`);
  try {
    await access(file);
    return file;
  } catch {
    throw Object.assign(
      new Error(
        `the home ${home} has no workflow code ${name}; go on with today's (without --started-code), or fork the run`,
      ),
      { code: 'BundleMissing' },
    );
  }
}

/** The name under which a home keeps it, and runs remember it. */
export const bundleName = (file: string): string => path.basename(file, '.js');

/** Path of a bundle of today's workflow code. */
export async function workflowBundle(home: string, options: BundleOptions = {}): Promise<string> {
  const folder = path.join(home, 'bundles');
  const file = path.join(folder, `${await contentHash(options)}.js`);
  try {
    await access(file);
    return file;
  } catch {
    // not made yet
  }
  const { code } = await bundleWorkflowCode({
    workflowsPath: path.join(root, 'workflows', 'index.ts'),
    ...(options.encrypted && { failureConverterPath }),
    ...(options.traced && { workflowInterceptorModules: options.traced }),
    logger: new DefaultLogger('ERROR'),
  });
  await mkdir(folder, { recursive: true });
  const half = `${file}.${process.pid}`;
  await writeFile(half, code);
  await rename(half, file);
  return file;
}
