/**
 * Does this bucket keep what a store rests on? Four conditional puts whose answers are known beforehand; takes milliseconds.
 *
 * Some servers that speak S3 answer "done" to every put whatever its condition: there two workers would both be first.
 */
import { randomUUID } from 'node:crypto';
import type { Bucket } from './s3-bucket.ts';
import { StoreError } from './store.ts';

const CURE =
  'Use Amazon S3, SeaweedFS, MinIO or another server with conditional writes (If-None-Match and If-Match on PutObject).';

/** Throws StoreError StoreUnreachable if the bucket is missing, not ours, or writes where a condition forbids it. */
export async function probeConditionalPuts(bucket: Bucket): Promise<void> {
  await bucket.mustExist();
  const key = `probe/${randomUUID()}`;
  const body = (text: string) => ({ bytes: Buffer.from(text) });
  try {
    // Judged by what stands afterwards, not by the answers: one may be lost and its put repeated.
    await bucket.put(key, body('first'), { absent: true });
    await bucket.put(key, body('second'), { absent: true });
    const first = await bucket.get(key);
    if (first?.bytes.toString() !== 'first')
      throw refused(bucket, 'a put with If-None-Match: * wrote over what stood there');
    await bucket.put(key, body('third'), { etag: first.etag });
    await bucket.put(key, body('late'), { etag: first.etag });
    if ((await bucket.get(key))?.bytes.toString() !== 'third')
      throw refused(bucket, 'a put with If-Match does not go by the version that stands there');
  } finally {
    // A probe that is left behind harms nobody.
    await bucket.remove(key).catch(() => undefined);
  }
}

const refused = (bucket: Bucket, found: string) =>
  new StoreError('StoreUnreachable', `the store ${bucket.location} cannot be used: ${found}. ${CURE}`);
