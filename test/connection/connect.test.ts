import net from 'node:net';
import type { AddressInfo } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../../connection/connect.ts';
import { plainTarget } from '../../connection/profile.ts';
import type { Target } from '../../connection/profile.ts';
import { startServer } from '../support/temporal.ts';
import { hasOpenssl, makeCertificates, startEndpoint } from './endpoint.ts';
import type { Certificates, Endpoint } from './endpoint.ts';

const LONG = 60_000;
const KEY = 'sk-this-must-not-be-told';
const insecure = () => grpc.ServerCredentials.createInsecure();
/** What a refused connection says. */
async function told(target: Target): Promise<{ code: string; sentence: string }> {
  const error: unknown = await connect(target).then(
    async (connection) => {
      await connection.close();
      return undefined;
    },
    (thrown: unknown) => thrown,
  );
  const { code, sentence } = error as { code: string; sentence: string };
  expect(sentence).not.toContain('\n');
  expect(sentence).not.toContain(KEY);
  return { code, sentence };
}
const withKey = (address: string, apiKey: string): Target => ({
  ...plainTarget(address, 'default'),
  options: { address, apiKey, tls: false },
  from: 'profile cloud',
});

describe('a real server', () => {
  let env: TestWorkflowEnvironment;
  beforeAll(async () => {
    env = await startServer();
  }, LONG);
  afterAll(() => env.teardown());

  it('accepts a right address and namespace', { timeout: LONG }, async () => {
    const connection = await connect(plainTarget(env.address, 'default'));
    await connection.close();
  });

  it('a namespace that it does not have is named, with the cure', { timeout: LONG }, async () => {
    const { code, sentence } = await told(plainTarget(env.address, 'nights'));
    expect(code).toBe('NamespaceUnknown');
    expect(sentence).toMatch(/no namespace nights .*: correct the namespace, or create it/);
  });

  it('TLS asked of a server without it is told as that', { timeout: LONG }, async () => {
    const target = plainTarget(env.address, 'default');
    const { code, sentence } = await told({ ...target, options: { ...target.options, tls: true } });
    expect(code).toBe('TlsRefused');
    expect(sentence).toMatch(/speaks no TLS: correct the address/);
  });
});

describe('what answers is not as wished', () => {
  it('a closed port: no server answers', { timeout: LONG }, async () => {
    const { code, sentence } = await told(plainTarget('127.0.0.1:9', 'default'));
    expect(code).toBe('ServerUnreachable');
    expect(sentence).toMatch(/no Temporal server answers at 127\.0\.0\.1:9 .*port is closed\): start it/);
  });

  it('an address without a port is no address', { timeout: LONG }, async () => {
    expect(await told(plainTarget('http//x', 'default'))).toMatchObject({ code: 'ProfileInvalid' });
  });

  it('a port that keeps silent is no Temporal server', { timeout: LONG }, async () => {
    const silent = net.createServer((socket) => socket.on('error', () => undefined));
    await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done));
    const { code } = await told(plainTarget(`127.0.0.1:${(silent.address() as AddressInfo).port}`, 'default'));
    silent.close();
    expect(code).toBe('ServerUnreachable');
  });

  const jwt = (exp: number) => `e30.${Buffer.from(JSON.stringify({ exp })).toString('base64url')}.${KEY}`;
  it.each([
    ['a refused API key', grpc.status.UNAUTHENTICATED, KEY, /refuses the API key \(profile cloud.*make a new key/],
    ['a key without rights', grpc.status.PERMISSION_DENIED, KEY, /make a new key with access to that namespace/],
    ['an expired key', grpc.status.UNAUTHENTICATED, jwt(1_700_000_000), /expired on 2023-11-14 22:13 UTC/],
  ])('%s is told with the cure, never with the key', { timeout: LONG }, async (_, status, key, cure) => {
    const endpoint = await startEndpoint(insecure(), status);
    try {
      const { code, sentence } = await told(withKey(endpoint.address, key));
      expect(code).toBe('AccessRefused');
      expect(sentence).toMatch(cure);
      expect(endpoint.shown.join()).toContain(key); // the endpoint saw it, and quoted it
    } finally {
      endpoint.close();
    }
  });
});

describe.skipIf(!hasOpenssl())(
  'TLS (skipped without the openssl command, version 3 or later: it makes the certificates)',
  () => {
    let certificates: Certificates;
    const open: Endpoint[] = [];
    beforeAll(() => {
      certificates = makeCertificates();
    });
    afterAll(() => {
      for (const endpoint of open) endpoint.close();
      certificates.remove();
    });
    async function serve(name: string, mutual: boolean): Promise<string> {
      const pair = { cert_chain: certificates.read(`${name}.pem`), private_key: certificates.read(`${name}.key`) };
      const endpoint = await startEndpoint(
        grpc.ServerCredentials.createSsl(certificates.read('authority.pem'), [pair], mutual),
      );
      open.push(endpoint);
      return endpoint.address;
    }
    const target = (address: string, authority: string | null, client?: string): Target => ({
      ...plainTarget(address, 'default'),
      options: {
        address,
        tls: {
          ...(authority !== null && { serverRootCACertificate: certificates.read(`${authority}.pem`) }),
          ...(client !== undefined && {
            clientCertPair: { crt: certificates.read(`${client}.pem`), key: certificates.read(`${client}.key`) },
          }),
        },
      },
      from: 'profile tls',
    });

    it('mutual TLS with the right pair connects', { timeout: LONG }, async () => {
      const connection = await connect(target(await serve('server', true), 'authority', 'client'));
      await connection.close();
    });

    it.each([
      [
        'no client certificate',
        'server',
        true,
        'authority',
        undefined,
        /certificate of this side, or misses one: set client_cert_path/,
      ],
      ['a stranger as client', 'server', true, 'authority', 'stranger', /certificate of this side/],
      [
        'an authority that is not the server’s',
        'server',
        false,
        'stranger',
        undefined,
        /signed by nobody known here: set server_ca_cert_path/,
      ],
      ['an expired server', 'expired', false, 'authority', undefined, /has expired: have it renewed/],
    ])('%s is told as that', { timeout: LONG }, async (_, server, mutual, authority, client, cure) => {
      const { code, sentence } = await told(target(await serve(server, mutual), authority, client));
      expect(sentence).toMatch(cure);
      expect(code).toBe('TlsRefused');
    });

    it('a server with TLS, asked without', { timeout: LONG }, async () => {
      const { code, sentence } = await told(plainTarget(await serve('server', false), 'default'));
      expect(code).toBe('TlsRefused');
      expect(sentence).toMatch(/speaks TLS, and the home does not: add a \[profile/);
    });
  },
);
