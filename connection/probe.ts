/**
 * Why a connection did not come about. Asked only after the SDK gave up, which says no more than "deadline exceeded" to a
 * closed port, a foreign certificate and a server without TLS alike.
 */
import net from 'node:net';
import tls from 'node:tls';
import { ConnectionError } from './failure.ts';
import type { Target } from './profile.ts';

const PROBE_MS = 3_000;
/** With TLS 1.3 a server judges the client's certificate after the client thinks that all is well. */
const VERDICT_MS = 700;

const UNTRUSTED = [
  ...['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ...['UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'CERT_UNTRUSTED'],
];

function hostAndPort(address: string): { host: string; port: number } | undefined {
  const [, host, port] = /^(.+):(\d+)$/.exec(address) ?? [];
  return host === undefined ? undefined : { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
}

/** The errno or TLS code that ended it, or undefined when `good` said that all went well. */
function outcome(socket: net.Socket, event: 'connect' | 'secureConnect', wait: number): Promise<string | undefined> {
  return new Promise((done) => {
    const end = (code?: string) => {
      socket.destroy();
      done(code);
    };
    socket.setTimeout(PROBE_MS, () => {
      end('ETIMEDOUT');
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      end(error.code ?? error.message);
    });
    socket.once(event, () => setTimeout(end, wait));
    socket.once('close', () => {
      end('ECONNRESET');
    });
  });
}

/** Always returns an error to throw. */
export async function whyUnreachable(target: Target): Promise<ConnectionError> {
  const { address, options, from } = target;
  const place = hostAndPort(address);
  if (!place)
    return new ConnectionError(
      'ProfileInvalid',
      `"${address}" (${from}) is no address: expected host:port, such as 127.0.0.1:7233`,
    );
  const tcp = await outcome(net.connect(place), 'connect', 0);
  if (tcp !== undefined) {
    const why =
      {
        ECONNREFUSED: 'the port is closed',
        ENOTFOUND: 'there is no such host',
        EAI_AGAIN: 'the name cannot be looked up',
      }[tcp] ?? 'no answer in time';
    return new ConnectionError(
      'ServerUnreachable',
      `no Temporal server answers at ${address} (${from}; ${why}): start it, correct the address, or unset it to use a server of your own`,
    );
  }
  const asked = options.tls;
  const own = typeof asked === 'object' && asked !== null ? asked : {};
  const spoken = asked !== undefined && asked !== null && asked !== false;
  const name = own.serverNameOverride ?? place.host;
  const failed = await outcome(
    tls.connect({
      ...place,
      ...(net.isIP(name) === 0 && { servername: name }),
      ALPNProtocols: ['h2'],
      rejectUnauthorized: spoken,
      ...(own.serverRootCACertificate && { ca: Buffer.from(own.serverRootCACertificate) }),
      ...(own.clientCertPair && {
        cert: Buffer.from(own.clientCertPair.crt),
        key: Buffer.from(own.clientCertPair.key),
      }),
    }),
    'secureConnect',
    VERDICT_MS,
  ).catch(() => 'ERR_OSSL');
  return spoken ? tlsTrouble(failed, address, from) : plainTrouble(failed, address, from);
}

function plainTrouble(failed: string | undefined, address: string, from: string): ConnectionError {
  const speaksTls = failed === undefined || failed.includes('ALERT') || failed.includes('CERT');
  return speaksTls
    ? new ConnectionError(
        'TlsRefused',
        `the server at ${address} speaks TLS, and ${from} does not: add a [profile.<name>.tls] table to temporal.toml, with client_cert_path and client_key_path if the server asks for a certificate`,
      )
    : new ConnectionError(
        'ServerUnreachable',
        `what listens at ${address} (${from}) is no Temporal server, or does not answer: correct the address, or start the server anew`,
      );
}

function tlsTrouble(failed: string | undefined, address: string, from: string): ConnectionError {
  const told = (sentence: string) => new ConnectionError('TlsRefused', `${sentence} (${address}; ${from})`);
  if (failed === undefined)
    return new ConnectionError(
      'ServerUnreachable',
      `what listens at ${address} (${from}) speaks TLS but is no Temporal server, or does not answer: correct the address`,
    );
  if (failed === 'CERT_HAS_EXPIRED') return told("the server's certificate has expired: have it renewed");
  if (UNTRUSTED.includes(failed))
    return told("the server's certificate is signed by nobody known here: set server_ca_cert_path to its authority's");
  if (failed === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return told(
      "the server's certificate is for another name: correct the address, or set server_name to the name it has",
    );
  if (/WRONG_VERSION|PACKET_LENGTH|EPROTO/.test(failed))
    return told('the server speaks no TLS: correct the address, or set tls.disabled = true if that is meant');
  if (/ALERT|ECONNRESET/.test(failed))
    return told(
      'the server refuses the certificate of this side, or misses one: set client_cert_path and client_key_path to a pair that it trusts and that has not expired',
    );
  return told(
    `TLS failed (${failed}): check the certificates and the key that the profile names, or have them issued anew`,
  );
}

/** When a key that is a signed token (JWT) ended, if it says so; nothing is sent anywhere. */
export function expiredAt(apiKey: unknown, now = Date.now()): string | undefined {
  if (typeof apiKey !== 'string') return undefined;
  try {
    const claims = JSON.parse(Buffer.from(apiKey.split('.')[1] ?? '', 'base64url').toString('utf8')) as {
      exp?: unknown;
    };
    if (typeof claims.exp !== 'number' || claims.exp * 1000 > now) return undefined;
    return new Date(claims.exp * 1000).toISOString().slice(0, 16).replace('T', ' ');
  } catch {
    return undefined;
  }
}
