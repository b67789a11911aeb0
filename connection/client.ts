/**
 * A Temporal client on a connection that was shown to work. A module of its own, because the client takes a third of a second
 * to load: who needs one imports this when it is needed, or while a server starts.
 */
import { Client } from '@temporalio/client';
import type { Connection } from '@temporalio/client';
import { dataConverterOf } from './codec.ts';
import { connect } from './connect.ts';
import type { CodecKeys } from './keys.ts';
import type { Target } from './profile.ts';

/** Throws what `connect` throws. */
export async function openClient(target: Target, keys: CodecKeys): Promise<{ connection: Connection; client: Client }> {
  const connection = await connect(target);
  const { namespace } = target;
  return { connection, client: new Client({ connection, namespace, dataConverter: dataConverterOf(keys) }) };
}
