/**
 * A connection that was shown to work: the server answers, knows the namespace and accepts us. Everything else is one
 * sentence with its cure (failure.ts).
 */
import { Connection } from '@temporalio/client';
import { ConnectionError, grpcCode } from './failure.ts';
import { expiredAt, whyUnreachable } from './probe.ts';
import type { Target } from './profile.ts';

const CONNECT_MS = 5_000;
/** gRPC's own codes. */
const GRPC = { notFound: 5, denied: 7, unauthenticated: 16 };

/** The sentence for a server that answers, but not as wished; undefined where it does not answer. */
export function refusal(error: unknown, target: Target): ConnectionError | undefined {
  const { address, namespace, options, from } = target;
  const code = grpcCode(error);
  if (code === GRPC.unauthenticated || code === GRPC.denied) {
    const ended = expiredAt(options.apiKey);
    const what =
      options.apiKey === undefined
        ? 'this certificate, and no API key is given'
        : ended === undefined
          ? 'the API key'
          : `the API key, which expired on ${ended} UTC`;
    return new ConnectionError(
      'AccessRefused',
      `the server at ${address} refuses ${what} (${from}, namespace ${namespace}): make a new key with access to that namespace and set it as api_key there or in TEMPORAL_API_KEY`,
    );
  }
  if (code === GRPC.notFound)
    return new ConnectionError(
      'NamespaceUnknown',
      `the server at ${address} has no namespace ${namespace} (${from}): correct the namespace, or create it with \`temporal operator namespace create\``,
    );
  return undefined;
}

/** Throws ServerUnreachable, TlsRefused, AccessRefused, NamespaceUnknown, ProfileInvalid. */
export async function connect(target: Target): Promise<Connection> {
  let connection: Connection | undefined;
  try {
    const opened = (connection = await Connection.connect({ ...target.options, connectTimeout: CONNECT_MS }));
    await opened.withDeadline(Date.now() + CONNECT_MS, () =>
      opened.workflowService.describeNamespace({ namespace: target.namespace }),
    );
    return opened;
  } catch (error) {
    await connection?.close().catch(() => undefined);
    throw refusal(error, target) ?? (await whyUnreachable(target));
  }
}
