/**
 * What can go wrong between this machine and a Temporal server, under one stable code each, with the cure in the sentence.
 *
 * No sentence holds a key, a token or a line of a file: servers and parsers quote what they were given, so their own words are
 * never passed on. A failure that crosses Temporal keeps its message alone, hence the code stands in front of it.
 */
export const CONNECTION_CODES = {
  ProfileInvalid: 'the profile, or a file it names, cannot be used',
  ServerUnreachable: 'nothing answers, or what answers is no Temporal server',
  TlsRefused: 'one side does not trust the other, or only one of them speaks TLS',
  AccessRefused: 'the server answers, but not to this API key or certificate',
  NamespaceUnknown: 'the server has no such namespace, or hides it from this key',
  CodecKeysInvalid: 'the keys that encrypt payloads cannot be read',
  CodecKeyMissing: 'a payload is encrypted with a key that is not declared here',
  CodecKeyWrong: 'a payload does not open with the declared key of its name',
} as const;
export type ConnectionCode = keyof typeof CONNECTION_CODES;

export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  constructor(
    readonly code: ConnectionCode,
    /** Without the code. */
    readonly sentence: string,
  ) {
    super(`${code}: ${sentence}`);
  }
}

/** The gRPC code of an error or of what caused it. */
export function grpcCode(error: unknown): number | undefined {
  for (let each = error; each instanceof Error; each = each.cause)
    if ('code' in each && typeof each.code === 'number') return each.code;
  return undefined;
}

const CODEC = /\b(CodecKey(?:Missing|Wrong)): ([^\n]*)/;

/** The codec's failure in an error, its causes, or a message that came through Temporal; undefined if it is another. */
export function codecFailure(error: unknown): ConnectionError | undefined {
  for (let each = error; each !== undefined && each !== null; each = each instanceof Error ? each.cause : undefined) {
    if (each instanceof ConnectionError && each.code.startsWith('CodecKey')) return each;
    const [, code, sentence = ''] =
      CODEC.exec(each instanceof Error ? each.message : typeof each === 'string' ? each : '') ?? [];
    if (code) return new ConnectionError(code as ConnectionCode, sentence);
  }
  return undefined;
}
