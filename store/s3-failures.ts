/**
 * What an error of the S3 client means: absent, refused by its condition, passing, or lasting; and what a person can do.
 *
 * Nothing of a request or a credential enters `cause`: the service's own words and Node's error codes alone.
 */
import type { StoreErrorCode } from './store.ts';

export interface S3Failure {
  /** `passing`: worth trying again. */
  kind: 'absent' | 'refused' | 'passing' | 'lasting';
  code: StoreErrorCode;
  cause: string;
  cure: string;
}

interface ClientError {
  name?: string;
  /** Of Node, e.g. ECONNREFUSED. */
  code?: unknown;
  message?: string;
  /** `clockSkewCorrected`: by the answer's date the client has seen how wrong this machine's clock is, and signs by that from now on. */
  $metadata?: { httpStatusCode?: number; clockSkewCorrected?: boolean };
}

const WAITS = 'Start that server again or mend the network; what runs waits for it and goes on by itself.';
const CREDENTIALS =
  'Give every worker credentials that may read and write there: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or a role.';
const CURES: Record<string, string> = {
  CredentialsProviderError: CREDENTIALS,
  NoSuchBucket: 'Create the bucket, or name another in STARTRAIL_STORE.',
  PermanentRedirect: 'Set STARTRAIL_S3_REGION to the region of the bucket.',
  AuthorizationHeaderMalformed: 'Set STARTRAIL_S3_REGION to the region of the bucket.',
};
/** Refusals that are over after a moment. */
const PASSING = [
  'SlowDown',
  'RequestTimeout',
  'RequestTimeTooSkewed',
  'ConditionalRequestConflict',
  'OperationAborted',
];
/** Bytes that arrived otherwise than they were sent. */
const GARBLED = ['BadDigest', 'XAmzContentChecksumMismatch', 'XAmzContentSHA256Mismatch', 'IncompleteBody'];
/** Trouble with this machine's own disk, while a file is fetched or sent. */
const OWN_DISK: Record<string, StoreErrorCode> = {
  ENOSPC: 'StoreFull',
  EDQUOT: 'StoreFull',
  EROFS: 'StoreReadOnly',
  EACCES: 'StoreReadOnly',
  ENOENT: 'StoreReadOnly',
};
const FULL = ['QuotaExceeded', 'XMinioStorageFull', 'InsufficientStorage'];

export function failureOf(thrown: unknown): S3Failure {
  const error = (typeof thrown === 'object' && thrown !== null ? thrown : { message: String(thrown) }) as ClientError;
  const status = error.$metadata?.httpStatusCode;
  const name = error.name ?? '';
  const unreachable = { code: 'StoreUnreachable' as const };
  if (status === undefined) {
    if (name === 'CredentialsProviderError' || name === 'TokenProviderError')
      return { kind: 'lasting', ...unreachable, cause: 'no credentials were found', cure: CREDENTIALS };
    const own = typeof error.code === 'string' ? OWN_DISK[error.code] : undefined;
    if (own !== undefined)
      return { kind: 'lasting', code: own, cause: error.message ?? '', cure: 'See to the disk of STARTRAIL_HOME.' };
    if (typeof error.code !== 'string' && !/timeout|abort/i.test(name) && name !== 'Error')
      // A defect of this program or of the client: not a word about servers.
      return { kind: 'lasting', ...unreachable, cause: `${name}: ${error.message}`, cure: 'Report this.' };
    const words =
      name === 'TimeoutError' ? 'no answer' : error.message || (typeof error.code === 'string' ? error.code : name);
    return { kind: 'passing', ...unreachable, cause: words, cure: WAITS };
  }
  const cause = `${name}${name === '' ? '' : ', '}HTTP ${status}`;
  if (FULL.includes(name) || status === 507)
    return { kind: 'lasting', code: 'StoreFull', cause, cure: 'Free some space there, or raise its quota.' };
  if (PASSING.includes(name) || GARBLED.includes(name) || status >= 500 || status === 429 || status === 408)
    return { kind: 'passing', ...unreachable, cause, cure: WAITS };
  if (status === 412) return { kind: 'refused', ...unreachable, cause, cure: '' };
  if ((status === 401 || status === 403) && error.$metadata?.clockSkewCorrected)
    return { kind: 'passing', ...unreachable, cause, cure: `Set the clock of this machine. ${CREDENTIALS}` };
  const cure = CURES[name];
  if (status === 404 && name !== 'NoSuchBucket')
    return { kind: 'absent', ...unreachable, cause, cure: CURES.NoSuchBucket ?? '' };
  if (cure === undefined && (status === 401 || status === 403 || /token|credential/i.test(name)))
    return { kind: 'lasting', ...unreachable, cause, cure: CREDENTIALS };
  return { kind: 'lasting', ...unreachable, cause, cure: cure ?? 'Check STARTRAIL_STORE and STARTRAIL_S3_ENDPOINT.' };
}
