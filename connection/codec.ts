/**
 * The payload codec: AES-256-GCM around every payload that Temporal keeps (inputs, results, failures, heartbeats, memo,
 * summaries), with the key's name beside it.
 *
 *   metadata { encoding: binary/encrypted, encryption-cipher: AES-256-GCM, encryption-key-id: 2026-11 }
 *   data     12 bytes nonce · ciphertext of the whole payload · 16 bytes tag
 *
 * The layout is that of Temporal's own samples (samples-typescript, encryption/), so other tools can read it. The newest key
 * encrypts, every declared key decrypts; what was never encrypted passes. Limits: names stay readable (workflow ids, task
 * queues, activity and update types), and so does what the server itself says. One key is good for 2³² payloads (random nonces;
 * NIST SP 800-38D, 8.3).
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { DataConverter, Payload, PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';
import { ConnectionError } from './failure.ts';
import type { CodecKeys } from './keys.ts';

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;
const ENCODING = 'binary/encrypted';
const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

const text = (bytes: Uint8Array | null | undefined): string => Buffer.from(bytes ?? []).toString('utf8');

/** Encrypts with the newest of `keys` (passes everything through where there is none). */
export function createCodec(keys: CodecKeys): PayloadCodec {
  const [newest] = keys;

  function encode(payload: Payload): Payload {
    if (!newest) return payload;
    const [name, key] = newest;
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, key, nonce);
    const plain = PayloadMessage.encode(payload).finish();
    const data = Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    const metadata = { encoding: ENCODING, 'encryption-cipher': 'AES-256-GCM', 'encryption-key-id': name };
    return {
      metadata: Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, Buffer.from(value)])),
      data: new Uint8Array(data),
    };
  }

  function decode(payload: Payload): Payload {
    if (text(payload.metadata?.encoding) !== ENCODING) return payload;
    const name = text(payload.metadata?.['encryption-key-id']);
    const key = keys.get(name);
    if (!key)
      throw new ConnectionError(
        'CodecKeyMissing',
        `what Temporal keeps of this run is encrypted with the key "${name}", and ${keys.size === 0 ? 'no key is declared' : `only ${[...keys.keys()].join(', ')} are declared`} here: add "${name}" to the file that STARTRAIL_CODEC_KEYS_FILE names, for commands and workers alike`,
      );
    const data = payload.data ?? new Uint8Array();
    try {
      const decipher = createDecipheriv(CIPHER, key, data.subarray(0, NONCE_BYTES));
      decipher.setAuthTag(data.subarray(data.length - TAG_BYTES));
      const plain = [decipher.update(data.subarray(NONCE_BYTES, data.length - TAG_BYTES)), decipher.final()];
      const { metadata, data: inner } = PayloadMessage.decode(Buffer.concat(plain));
      return { metadata, data: inner };
    } catch {
      throw new ConnectionError(
        'CodecKeyWrong',
        `what Temporal keeps of this run does not open with the key named "${name}" here: another key of that name wrote it, or it was altered; put that key into the file that STARTRAIL_CODEC_KEYS_FILE names`,
      );
    }
  }

  return {
    encode: (payloads) => Promise.resolve(payloads.map(encode)),
    // In a promise, so that what is thrown reaches whoever waits.
    decode: async (payloads) => payloads.map(decode),
  };
}

/** Keeps messages and stacks of failures in a payload, where the codec reaches them; for workflow bundles too. */
export const failureConverterPath = fileURLToPath(new URL('failure-converter.cjs', import.meta.url));

/** For `Client` and `Worker`. Without keys it encrypts nothing, but says what is missing when it meets what is encrypted. */
export const dataConverterOf = (keys: CodecKeys): DataConverter => ({
  payloadCodecs: [createCodec(keys)],
  ...(keys.size > 0 && { failureConverterPath }),
});
