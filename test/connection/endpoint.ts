/** Loopback gRPC endpoints that answer Temporal's first two questions, for what a development server cannot be: TLS, keys. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import * as grpc from '@grpc/grpc-js';

const bytes = (value: Buffer) => value;
const method = (name: string) => ({
  path: `/temporal.api.workflowservice.v1.WorkflowService/${name}`,
  requestStream: false as const,
  responseStream: false as const,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
});
const SERVICE = { getSystemInfo: method('GetSystemInfo'), describeNamespace: method('DescribeNamespace') };

export interface Endpoint {
  address: string;
  /** `authorization` headers that were shown. */
  shown: string[];
  close(): void;
}

/** Answers with empty messages, or with `status` to everything. */
export async function startEndpoint(credentials: grpc.ServerCredentials, status?: grpc.status): Promise<Endpoint> {
  const server = new grpc.Server();
  const shown: string[] = [];
  const answer: grpc.handleUnaryCall<Buffer, Buffer> = (call, done) => {
    shown.push(...call.metadata.get('authorization').map(String));
    if (status === undefined) done(null, Buffer.alloc(0));
    else done({ code: status, details: `refused: ${shown.join()}` });
  };
  server.addService(SERVICE, { getSystemInfo: answer, describeNamespace: answer });
  const port = await new Promise<number>((done, fail) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => {
      if (error) fail(error);
      else done(bound);
    });
  });
  return { address: `127.0.0.1:${port}`, shown, close: () => server.forceShutdown() };
}

export interface Certificates {
  folder: string;
  file(name: string): string;
  read(name: string): Buffer;
  remove(): void;
}

/** An authority, a server and a client that it signed, an expired server, and a stranger; made by `openssl`. */
export function makeCertificates(): Certificates {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'startrail-tls-'));
  const file = (name: string) => path.join(folder, name);
  const openssl = (...words: string[]) => execFileSync('openssl', words, { cwd: folder, stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  for (const name of ['authority', 'stranger'])
    openssl(
      'req',
      '-x509',
      ...key,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
    );
  const san = ['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  for (const name of ['server', 'client', 'expired']) {
    openssl('req', '-new', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`, ...san);
    const signed = ['-CA', 'authority.pem', '-CAkey', 'authority.key', '-copy_extensions', 'copy'];
    const days = ['-days', name === 'expired' ? '-1' : '2'];
    openssl('x509', '-req', '-in', `${name}.csr`, ...signed, ...days, '-out', `${name}.pem`);
  }
  return {
    folder,
    file,
    read: (name) => readFileSync(file(name)),
    remove: () => {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function hasOpenssl(): boolean {
  try {
    return /OpenSSL [3-9]/.test(execFileSync('openssl', ['version']).toString());
  } catch {
    return false;
  }
}
