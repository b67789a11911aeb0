/**
 * Pretrained models of this machine: what lies in a folder, by its name there.
 *
 *   models/SmolLM2-135M.gguf        --model SmolLM2-135M
 *   models/qwen2-0.5b/config.json   --model qwen2-0.5b        a folder as on the Hugging Face Hub
 *
 * Importing unpacks gigabytes in one go, so a process of its own does it: heartbeats go on, and a crash costs an attempt.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { EngineError, type EngineControl } from './engine.ts';
import type { DecoderConfig } from '../schemas/checkpoint.ts';
import { fromPortable } from './messages.ts';
import type { PortableError } from './messages.ts';
import { withoutSecrets } from '../schemas/environment.ts';

/** Names and places of the models in a folder; none where there is no such folder. */
export async function declaredModels(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const models = new Map<string, string>();
  for (const entry of entries.sort()) {
    const location = path.join(folder, entry);
    if (entry.endsWith('.gguf')) models.set(entry.slice(0, -'.gguf'.length), location);
    else if (await isFile(path.join(location, 'config.json'))) models.set(entry, location);
  }
  return models;
}

const isFile = (file: string): Promise<boolean> =>
  stat(file).then(
    (found) => found.isFile(),
    () => false,
  );

/** Over names and bytes of all files, in the order of their names: a model is all that lies in its folder. */
async function digestOf(location: string): Promise<string> {
  const hash = createHash('sha256');
  const single = await isFile(location);
  const names = single ? [''] : (await readdir(location, { recursive: true })).sort();
  for (const name of names) {
    const file = path.join(location, name);
    const { size } = await stat(file);
    if (!single && !(await isFile(file))) continue;
    hash.update(`${name}\n${size}\n`);
    for await (const piece of createReadStream(file)) hash.update(piece as Buffer);
  }
  return `sha256:${hash.digest('hex')}`;
}

/** Runs engine/tfjs/pretrained/child.ts. Throws EngineError: what the import throws, and `EngineDied` where it ended otherwise. */
function importInChild(source: string, output: string, signal?: AbortSignal): Promise<{ weightsDigest: string }> {
  const start = fileURLToPath(new URL('../scripts/start.mjs', import.meta.url));
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [start, 'engine/tfjs/pretrained/child.ts', source, output], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: withoutSecrets(process.env),
      signal,
      killSignal: 'SIGKILL',
    });
    let said = '';
    child.stderr?.on('data', (bytes: Buffer) => (said = (said + bytes.toString()).slice(-2000)));
    child.on('message', (message: { result: { weightsDigest: string } } | { error: PortableError }) => {
      if ('result' in message) resolve(message.result);
      else reject(fromPortable(message.error));
    });
    child.on('error', reject);
    child.on('exit', (code, how) =>
      reject(new EngineError('EngineDied', `the import of ${source} ended (${how ?? `exit code ${code}`}). ${said}`)),
    );
  });
}

export interface Models {
  names: string[];
  /** What the files describe, without their weights, and a digest over all of them. */
  inspect(name: string): Promise<{ config: DecoderConfig; files: string }>;
  /** Writes it as a checkpoint. */
  import(name: string, outputPath: string, control: EngineControl): Promise<{ weightsDigest: string }>;
}

/** What lies in the folder now. Methods throw EngineError `CheckpointInvalid`. */
export async function openModels(folder: string): Promise<Models> {
  const models = await declaredModels(folder);
  const digests = new Map<string, Promise<string>>();
  const place = (name: string): string => {
    const location = models.get(name);
    if (location === undefined) throw new EngineError('CheckpointInvalid', `there is no model ${name} in ${folder}`);
    return location;
  };
  const filesOf = (name: string): Promise<string> => {
    const known = digests.get(name) ?? digestOf(place(name));
    digests.set(name, known);
    return known;
  };
  return {
    names: [...models.keys()],
    inspect: async (name) => {
      // Loaded late: most runs name no model, and every command line would wait for the tokenizers.
      const { inspectPretrained } = await import('./tfjs/pretrained/import.ts');
      return { config: await inspectPretrained(place(name)), files: await filesOf(name) };
    },
    import: (name, outputPath, { signal }) => importInChild(place(name), outputPath, signal),
  };
}
