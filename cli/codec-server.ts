/** `codec-server`: opens encrypted payloads for Temporal's UI and CLI, in the foreground, until Ctrl-C. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { startCodecServer } from '../connection/codec-server.ts';
import { loadKeys } from '../connection/keys.ts';
import { settings } from '../temporal.config.ts';
import { CliError, EXIT } from './exit.ts';
import { listenForLeave } from './leave.ts';
import { homePaths, readJson } from './home.ts';
import type { Context } from './parts.ts';

export interface CodecServerOptions {
  port: number;
  origin?: string;
}

const TOKEN_BYTES = 24;
const Ports = z.looseObject({ ui: z.int() });

/** As browsers send it; throws InvalidInput. */
function originOf(context: Context, asked: string | undefined): string {
  const ui = Ports.safeParse(readJson(homePaths(context.home).ports)).data?.ui;
  const text = asked ?? (ui === undefined ? undefined : `http://127.0.0.1:${ui}`);
  if (text === undefined)
    throw new CliError(
      EXIT.input,
      'InvalidInput',
      "--origin: give the address of Temporal's UI, e.g. http://127.0.0.1:8233",
    );
  if (!URL.canParse(text) || !/^https?:\/\/[^/]+\/?$/.test(text))
    throw new CliError(
      EXIT.input,
      'InvalidInput',
      `--origin: found "${text}"; expected scheme, host and port, e.g. http://127.0.0.1:8233`,
    );
  return new URL(text).origin;
}

export async function codecServer(context: Context, { port, origin }: CodecServerOptions): Promise<number> {
  const { terminal } = context;
  const keys = loadKeys(settings.codec);
  if (keys.size === 0)
    throw new CliError(
      EXIT.input,
      'CodecKeysInvalid',
      'no key is declared, so there is nothing to open: set STARTRAIL_CODEC_KEYS_FILE (docs/howto/encryption.md)',
    );
  const allowed = originOf(context, origin);
  const token = settings.codec.token ?? randomBytes(TOKEN_BYTES).toString('base64url');
  const leaving = listenForLeave();
  leaving.orderly();
  try {
    const server = await startCodecServer({ keys, token, origin: allowed, port }).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      throw new CliError(
        EXIT.unreachable,
        'PortInUse',
        `another program has port ${port}: give another with --port, or 0 for a free one`,
      );
    });
    const endpoint = `${server.url}/${token}`;
    terminal.say(`codec server for ${allowed}, keys ${[...keys.keys()].join(', ')}`);
    terminal.say(`  Temporal's UI: the glasses at the top right, "Remote Codec Endpoint": ${endpoint}`);
    terminal.say(`  temporal … --codec-endpoint ${server.url} --codec-auth "Bearer ${token}"`);
    terminal.say('whoever has this token can read what Temporal keeps; Ctrl-C ends the server');
    if (terminal.json) terminal.document({ url: server.url, endpoint, origin: allowed, keys: [...keys.keys()] });
    await new Promise<void>((done) => {
      if (leaving.signal.aborted) done();
      leaving.signal.addEventListener('abort', () => {
        done();
      });
    });
    await server.close();
    return EXIT.ok;
  } finally {
    leaving.done();
  }
}
