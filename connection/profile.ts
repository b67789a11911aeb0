/**
 * Where the Temporal server is and how to show who we are: a profile of `temporal.toml`, read by the SDK's envconfig, for
 * worker and client alike.
 *
 *   TEMPORAL_PROFILE=cloud startrail run addition         [profile.cloud] address, namespace, api_key, [profile.cloud.tls] …
 *
 * TEMPORAL_* variables go over the file, STARTRAIL_ADDRESS and STARTRAIL_NAMESPACE over those. Unknown keys are refused: a
 * misspelt `server_ca_cert_path` would otherwise be a server without the trust that was meant.
 */
import { existsSync } from 'node:fs';
import type { ClientConnectConfig } from '@temporalio/envconfig';
import type { RemoteServer, ServerSettings } from '../temporal.config.ts';
import { ConnectionError } from './failure.ts';

type Options = ClientConnectConfig['connectionOptions'];
export interface Target {
  address: string;
  namespace: string;
  /** To connect with, for `Connection` and `NativeConnection`. */
  options: Pick<Options, 'apiKey' | 'tls' | 'metadata'> & { address: string };
  /** For people: `profile cloud` or `STARTRAIL_ADDRESS`. */
  from: string;
}

/** A server on this machine, without TLS or key. */
export const plainTarget = (address: string, namespace: string): Target => ({
  address,
  namespace,
  options: { address },
  from: 'the home',
});

const profileOf = ({ environment = {} }: RemoteServer) => environment.TEMPORAL_PROFILE;

/** For people; reads nothing. */
export function serverName(server: ServerSettings): string {
  if (server.mode === 'embedded') return 'the embedded server';
  const address = server.address ?? server.environment?.TEMPORAL_ADDRESS;
  const profile = profileOf(server) ?? (server.environment?.TEMPORAL_CONFIG_FILE ? 'default' : undefined);
  return [profile && `profile ${profile}`, address].filter(Boolean).join(' at ');
}

const bad = (sentence: string) => new ConnectionError('ProfileInvalid', sentence);

/** Throws ProfileInvalid, with no line of the file in the sentence: there may be a key in it. */
export async function loadTarget(server: RemoteServer): Promise<Target> {
  const { environment } = server;
  const namespace = server.namespace ?? 'default';
  if (!environment) {
    if (server.address === undefined) throw bad('no address is given: set STARTRAIL_ADDRESS or TEMPORAL_PROFILE');
    return { ...plainTarget(server.address, namespace), from: 'STARTRAIL_ADDRESS' };
  }
  const file = environment.TEMPORAL_CONFIG_FILE;
  const where = file ?? "temporal.toml in the user's configuration folder";
  // The SDK takes a file that is not there for an empty one.
  if (file !== undefined && !existsSync(file))
    throw bad(`there is no file ${file}: put it in place, or set TEMPORAL_CONFIG_FILE to the one that is meant`);
  const profile = profileOf(server);
  const from = `profile ${profile ?? 'default'} of ${where}`;
  const { loadClientConnectConfig } = await import('@temporalio/envconfig');
  let config: ClientConnectConfig;
  try {
    config = loadClientConnectConfig({ overrideEnvVars: environment, configFileStrict: true });
  } catch (error) {
    throw bad(whatIsWrong(error, profile, where));
  }
  const { apiKey, tls, metadata } = config.connectionOptions;
  const address = server.address ?? config.connectionOptions.address;
  if (address === undefined)
    throw bad(`${from} has no address: add address = "host:7233" to it, or set TEMPORAL_PROFILE to another profile`);
  const options = {
    address,
    ...(apiKey !== undefined && { apiKey }),
    ...(tls !== undefined && tls !== null && { tls }),
    ...(metadata !== undefined && { metadata }),
  };
  return { address, namespace: server.namespace ?? config.namespace ?? 'default', options, from };
}

function whatIsWrong(error: unknown, profile: string | undefined, where: string): string {
  const { message, line, column, code, path } = error as Partial<
    Record<'message' | 'line' | 'column' | 'code' | 'path', string>
  >;
  if (line !== undefined) return `${where} is not TOML at line ${line}, column ${column ?? '?'}: correct it there`;
  if (path !== undefined)
    return `profile ${profile ?? 'default'} of ${where} names ${path}, which cannot be read (${code ?? '?'}): put the file there, or correct the path`;
  if (message?.startsWith(`Profile '${profile}'`))
    return `there is no profile ${profile} in ${where}: add [profile.${profile}] there, or set TEMPORAL_PROFILE to one that is`;
  // The SDK's own checks name keys, never values.
  if (message?.startsWith('Validation error') || message?.startsWith('Cannot specify both'))
    return `${where}: ${message.replace('Validation error: ', '')}; correct the spelling, or remove it`;
  return `profile ${profile ?? 'default'} of ${where} cannot be used: check its keys against docs/howto/connection.md`;
}
