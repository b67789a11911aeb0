/**
 * Store: content-addressed artifacts and small named documents. `store/local.ts` keeps them in a folder.
 *
 * Artifacts are written create-exclusively (first wins) and verified on every read. A file whose bytes do not match its
 * digest is set aside and named: `ArtifactDamaged`. Names hold memo entries, run documents and pointers.
 */
import type { ArtifactRef } from '../schemas/artifact.ts';

export interface Store {
  /** Where this store is, for messages to people. */
  readonly location: string;

  put(bytes: Uint8Array | string, rows?: number): Promise<ArtifactRef>;
  /** Takes over a finished temporary file (made under `scratch`); the path is gone afterwards. */
  adopt(path: string, rows?: number): Promise<ArtifactRef>;
  /** Throws StoreError ArtifactMissing | ArtifactDamaged (with `digest`). */
  read(digest: string): Promise<Buffer>;
  /** A path on this machine with the verified bytes, for engines. Throws as `read`. */
  open(digest: string): Promise<string>;
  has(digest: string): Promise<boolean>;

  /** A folder on this machine that survives a crash, for unfinished work under this name; made if absent. */
  scratch(name: string): Promise<string>;
  dropScratch(name: string): Promise<void>;

  /** JSON documents by name ("runs/night-1", "memo/ab12…"). */
  getName(name: string): Promise<unknown>; // undefined if absent
  /** First wins: returns what stands there afterwards, and whether it was this call's. */
  createName(name: string, value: unknown): Promise<{ created: boolean; value: unknown }>;
  replaceName(name: string, value: unknown): Promise<void>; // atomic
  removeName(name: string): Promise<void>;
  listNames(prefix: string): Promise<string[]>;
}

export type StoreErrorCode = 'ArtifactMissing' | 'ArtifactDamaged' | 'StoreReadOnly' | 'StoreFull' | 'StoreUnreachable';

export class StoreError extends Error {
  override readonly name = 'StoreError';
  constructor(
    readonly code: StoreErrorCode,
    /** Without the code. */
    readonly sentence: string,
    /** The artifact in question, where there is one. */
    readonly digest?: string,
  ) {
    super(`${code}: ${sentence}`);
  }
}
