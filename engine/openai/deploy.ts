/**
 * How a server comes to serve a checkpoint: not at all (`fixed`), by a declared program (`command`), by loading an adapter beside
 * its base (`adapter`: vLLM, https://docs.vllm.ai/en/stable/features/lora).
 *
 *   const deployment = createDeployment({ name, settings, folder, client, base });
 *   const served = await deployment.put(model, signal);   // 'startrail-3f2a91c04b7e'
 *
 * The program gets the exported model's path and a name for it behind its own arguments, and prints
 * `{"event":"served","model":"…"}` once the server answers with that model. It may end then, or be the server itself: one that
 * goes on is ended (SIGTERM, then SIGKILL) before the next one starts, and its standard input closes when this process is gone.
 *
 * Limits: an export passes through this process's memory once, in float32; a server that several workers share is one worker's
 * at a time, others find their model gone and deploy it again.
 */
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { DeploySettings } from '../../schemas/engine-settings.ts';
import { call } from '../command/process.ts';
import type { LocalCheckpoint } from '../engine.ts';
import { EngineError } from '../engine.ts';
import { readModel } from '../tfjs/adapter-file.ts';
import { readAdapter } from '../tfjs/adapter-file.ts';
import { exportAdapter, exportFolder } from '../tfjs/export.ts';
import { exportGguf } from '../tfjs/pretrained/gguf-export.ts';
import { hexOf } from './canary-records.ts';
import type { Client } from './client.ts';
import { ServerTrouble } from './client.ts';

export interface DeploymentOptions {
  /** The engine's, for messages. */
  name: string;
  deploy: DeploySettings;
  /** Where exported models go, unless the settings name a place. */
  folder: string;
  client: Client;
  /** The name of what the server serves by itself. */
  base(): Promise<string>;
}
export interface Deployment {
  put(model: LocalCheckpoint, signal: AbortSignal): Promise<string>;
  /** What somebody can do where the server serves something else all the same. */
  cure: string;
  close(): Promise<void>;
}

/** A name that no other checkpoint has. */
export const servedName = (digest: string): string => `startrail-${hexOf(digest).slice(0, 12)}`;

export function createDeployment(options: DeploymentOptions): Deployment {
  const { deploy } = options;
  if (deploy.kind === 'command') return byCommand(options, deploy);
  if (deploy.kind === 'adapter') return byAdapter(options, deploy);
  return {
    put: () => options.base(),
    cure: 'load the new model into the server, or declare how that is done (deploy)',
    close: () => Promise.resolve(),
  };
}

const Served = z.object({ event: z.literal('served'), model: z.string().min(1).optional() });

function byCommand(
  { name, folder }: DeploymentOptions,
  { command, format, withinMs, folder: other = folder }: Extract<DeploySettings, { kind: 'command' }>,
): Deployment {
  let running: { stop: AbortController; ended: Promise<unknown> } | undefined;
  const end = async () => {
    running?.stop.abort(new EngineError('EngineDied', `engine ${name} was given another model`));
    await running?.ended;
    running = undefined;
  };
  const write = async (model: LocalCheckpoint, at: string) => {
    const whole = await readModel(model);
    if (format === 'folder') return exportFolder(whole, at);
    await mkdir(at, { recursive: true });
    return exportGguf(whole, path.join(at, 'model.gguf'));
  };
  return {
    async put(model, signal) {
      await end();
      const at = await exported(other, model, write);
      const file = path.resolve(format === 'gguf' ? path.join(at, 'model.gguf') : at);
      const alias = servedName(model.digest);
      const stop = new AbortController();
      const fault = (what: string) =>
        new EngineError('EngineDied', `engine ${name}: ${command[0]} ${what}; it is tried again`);
      const late = setTimeout(() => stop.abort(fault(`did not serve ${file} within ${withinMs} ms`)), withinMs);
      const onAbort = () => stop.abort(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        return await new Promise<string>((resolve, reject) => {
          const onLine = (line: string) => {
            const said = servedIn(line);
            if (said) resolve(said.model ?? alias);
          };
          const ended = call({ command, args: [file, alias], onLine, signal: stop.signal, name }).then(
            () => reject(fault('ended without saying what is served')),
            reject,
          );
          running = { stop, ended };
        });
      } finally {
        clearTimeout(late);
        signal.removeEventListener('abort', onAbort);
      }
    },
    cure: `look why ${command[0]} left it so`,
    close: end,
  };
}

function servedIn(line: string): z.infer<typeof Served> | undefined {
  try {
    return Served.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

const Models = z.object({ data: z.array(z.object({ id: z.string() })) });

function byAdapter(
  { client, base, folder }: DeploymentOptions,
  { folder: other = folder }: Extract<DeploySettings, { kind: 'adapter' }>,
): Deployment {
  let before: string | undefined;
  return {
    async put(model, signal) {
      if (model.base === undefined) return base();
      const at = await exported(other, model, async ({ path: file, base: under }, to) =>
        exportAdapter(await readAdapter(file, under!), to, under!.digest),
      );
      const lora_name = servedName(model.digest);
      if (before !== undefined && before !== lora_name)
        // It may be gone with a server that was started again.
        await client.tell('unload_lora_adapter', { lora_name: before }, signal).catch(unlessAway);
      before = lora_name;
      const { data } = Models.safeParse(await client.get('models', signal));
      if (!data?.data.some(({ id }) => id === lora_name))
        await client.tell('load_lora_adapter', { lora_name, lora_path: path.resolve(at) }, signal);
      return lora_name;
    },
    cure: 'look whether the server was started with --enable-lora and sees the folder of the adapters',
    close: () => Promise.resolve(),
  };
}

const unlessAway = (error: unknown): void => {
  if (!(error instanceof ServerTrouble) || error.means === 'away') throw error;
};

/** The folder of an exported model, written whole or not at all. Those of other models are removed: one is served at a time. */
async function exported(
  folder: string,
  model: LocalCheckpoint,
  write: (model: LocalCheckpoint, at: string) => Promise<void>,
): Promise<string> {
  const at = path.join(folder, servedName(model.digest));
  await mkdir(folder, { recursive: true });
  const there = await readdir(folder);
  for (const name of there)
    if (name.startsWith('startrail-') && name !== path.basename(at))
      await rm(path.join(folder, name), { recursive: true, force: true });
  if (there.includes(path.basename(at))) return at;
  const part = `${at}.part-${process.pid}`;
  await write(model, part);
  await rename(part, at);
  return at;
}
