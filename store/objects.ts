/**
 * Artifacts, the same in every kind of store: where they lie, and the digest of their bytes.
 *
 *   keyOfObject('sha256:9f86d0…')   // 'objects/9f/86d0…'
 */
import { createHash } from 'node:crypto';
import { Digest } from '../schemas/artifact.ts';
import { StoreError } from './store.ts';

export const digestOf = (bytes: Uint8Array | string): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** Below the store's root. Throws ArtifactMissing for what is no digest. */
export function keyOfObject(digest: string): string {
  if (!Digest.safeParse(digest).success)
    throw new StoreError('ArtifactMissing', `"${digest}" is no digest: expected "sha256:" and 64 hex digits`);
  return `objects/${digest.slice(7, 9)}/${digest.slice(9)}`;
}
