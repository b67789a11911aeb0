/**
 * The store that the settings name: a folder of this machine, or a bucket that several machines share.
 *
 *   await openStore('/srv/startrail', { region })                             // /srv/startrail/store
 *   await openStore('/srv/startrail', { url: 's3://bucket/team', region })    // copies in /srv/startrail/cache
 */
import path from 'node:path';
import { createLocalStore } from './local.ts';
import type { S3StoreOptions } from './s3.ts';
import type { S3Place } from './s3-bucket.ts';
import { type Store, StoreError } from './store.ts';

export interface StoreSettings {
  /** s3://bucket or s3://bucket/prefix; undefined = a folder in the home. */
  url?: string;
  region: string;
  /** Of a server that is not Amazon's. */
  endpoint?: string;
}

export const isShared = (settings: StoreSettings): boolean => settings.url !== undefined;

/** Throws StoreError StoreUnreachable naming the setting that can't be meant. */
export function placeOf({ url = '', region, endpoint }: StoreSettings): S3Place {
  const [, bucket, prefix = ''] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*?))?\/*$/.exec(url) ?? [];
  if (bucket === undefined || prefix.split('/').some((part) => part === '..' || part === '.'))
    throw new StoreError(
      'StoreUnreachable',
      `STARTRAIL_STORE is "${url}"; expected s3://bucket or s3://bucket/prefix, or unset to keep everything in the home`,
    );
  const server = endpoint === undefined ? undefined : URL.canParse(endpoint) ? new URL(endpoint) : null;
  // Not quoted: what stands before the @ may be a password.
  if (server === null || server?.username || (server && !/^https?:$/.test(server.protocol)))
    throw new StoreError(
      'StoreUnreachable',
      'STARTRAIL_S3_ENDPOINT is no address of a server; expected http://host:port or https://host, without a name or password',
    );
  return { bucket, prefix: prefix === '' ? '' : `${prefix}/`, region, ...(server && { endpoint: server.origin }) };
}

export async function openStore(home: string, settings: StoreSettings, options: S3StoreOptions = {}): Promise<Store> {
  if (!isShared(settings)) return createLocalStore(path.join(home, 'store'));
  // Loaded when it is needed: the client takes a good part of a second.
  const { createS3Store } = await import('./s3.ts');
  return createS3Store(placeOf(settings), path.join(home, 'cache'), options);
}
