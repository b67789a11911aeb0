/** What the commands share: settings, store, where the Temporal CLI is. Tests make a context of their own. */
import { existsSync } from 'node:fs';
import { isShared, openStore as openNamedStore } from '../store/open.ts';
import { locateBinding, locateTemporal } from '../scripts/setup/locate.mjs';
import type { Store } from '../store/store.ts';
import { settings } from '../temporal.config.ts';
import { SETUP_CURE } from './embedded.ts';
import { CliError, EXIT } from './exit.ts';
import { checkFormat, homePaths } from './home.ts';
import type { Session, SessionOptions } from './session.ts';
import type { Terminal } from './terminal.ts';

export interface Context {
  home: string;
  server: SessionOptions['server'];
  terminal: Terminal;
  /** Another program in the worker's place (tests). */
  worker?: string[];
}

export const contextOf = (terminal: Terminal): Context => ({ home: settings.home, server: settings.server, terminal });

/** The store the settings name: a folder of the home, or a bucket. */
export const openStore = (home: string): Promise<Store> => openNamedStore(home, settings.store);

/** The store if it is there, for commands that only read; without a bucket they make nothing. */
export async function readStore(home: string): Promise<Store | undefined> {
  const paths = homePaths(home);
  checkFormat(paths);
  return isShared(settings.store) || existsSync(paths.store) ? openStore(home) : undefined;
}

/** Loaded when it is needed: the client of Temporal takes a third of a second, and most commands read the store alone. */
export async function session(
  context: Context,
  verb: string,
  options: Partial<Pick<SessionOptions, 'say' | 'mustOwn' | 'attachOnly' | 'worker'>> = {},
): Promise<Session> {
  const { openSession } = await import('./session.ts');
  return openSession({
    home: context.home,
    server: context.server,
    codec: settings.codec,
    temporal: context.server.mode === 'embedded' ? locateTemporal() : undefined,
    verb,
    // Looked up at each word: a view takes the terminal over while it is there.
    say: (text) => context.terminal.say(text),
    worker: context.worker,
    ...options,
  });
}

/** Told before a server is started: an engine without its library would be tried again and again. Throws EngineUnavailable. */
export function checkEngine(context: Context, engine: string): void {
  if (context.server.mode === 'remote' || context.worker || settings.engines[engine]?.kind !== 'tfjs') return;
  if (locateBinding() === undefined)
    throw new CliError(EXIT.failed, 'EngineUnavailable', `the TensorFlow binding is not installed: ${SETUP_CURE}`);
}

export const reattach = (runId: string): string => `./bin/startrail watch ${runId}`;

export const usage = (message: string): CliError => new CliError(EXIT.input, 'Usage', message);
