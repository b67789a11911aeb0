/**
 * ArtifactRef: the only thing that ever stands for data in Temporal's history.
 *
 *   { "digest": "sha256:9f…", "bytes": 81234, "rows": 200 }
 *
 * The digest is taken over the file's bytes; whoever reads an artifact checks it again.
 */
import { z } from 'zod';

export const Digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'expected "sha256:" and 64 hex digits');
export type Digest = z.infer<typeof Digest>;

export const ArtifactRef = z.strictObject({
  digest: Digest,
  bytes: z.int().nonnegative(),
  /** Lines of a JSONL artifact; absent for checkpoints and single documents. */
  rows: z.int().nonnegative().optional(),
  /** A manifest (store/manifest.ts): the bytes are a list of so many refs, whose rows, in order, are this one's. */
  parts: z.int().positive().optional(),
});
export type ArtifactRef = z.infer<typeof ArtifactRef>;
