/**
 * A stand-in for the Hugging Face Hub on the loopback address: what @huggingface/hub asks of it (a model's commit and card, its
 * files, ranges of their bytes), with faults that a test plans.
 *
 *   const hub = await hubServer({ 'a/b': { commit, files: { 'config.json': '{}' } } });
 *   hub.options.cutAfter = 1000;      // a connection ends in the middle of a file, once it has sent so many bytes
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A data set's name ends with `.dataset` here. */
export interface FakeRepo {
  commit: string;
  license?: string;
  files: Record<string, Uint8Array | string>;
  /** The token that may read it. */
  gated?: string;
}
export interface HubOptions {
  cutAfter?: number | undefined;
  /** Such a connection stays open and says no more. */
  hold?: boolean | undefined;
  /** Bytes are sent on to another address, as the Hub does with large files. */
  elsewhere?: string | undefined;
  /** Of each file by name: other bytes than are listed. */
  tamper?: ((file: string, bytes: Buffer) => Buffer) | undefined;
  /** Statuses that the next requests for bytes are answered with. */
  busy: number[];
}

/** Larger files are kept apart, with a SHA-256, as the Hub does. */
const LFS_FROM = 1_000;
const hash = (kind: string, ...parts: (string | Uint8Array)[]) => {
  const made = createHash(kind);
  for (const part of parts) made.update(part);
  return made.digest('hex');
};

export async function hubServer(repos: Record<string, FakeRepo>) {
  const options: HubOptions = { busy: [] };
  /** What was asked of each file, the probe for its size left out: the first byte. */
  const reads: { file: string; from: number; authorization: string | undefined }[] = [];
  const server = createServer((request, response) => answer(request, response));

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const fail = (status: number, code: string) => {
      response.writeHead(status, { 'x-error-code': code, 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: `${code} hf_secret` }));
    };
    const { pathname } = new URL(request.url!, 'http://hub');
    const parts = pathname.split('/').slice(1).map(decodeURIComponent);
    const api = parts[0] === 'api' ? parts.splice(0, 2) : undefined;
    if (api?.[1] === 'datasets' || parts[0] === 'datasets') {
      if (!api) parts.shift();
      // A data set is not found among the models, nor a model among these.
      parts[1] += '.dataset';
    }
    const [owner, name, what, revision, ...rest] = parts;
    const repo = repos[`${owner}/${name}`];
    const { authorization, range } = request.headers;
    if (!repo) return fail(authorization ? 404 : 401, 'RepoNotFound');
    if (!['main', repo.commit].includes(revision!)) return fail(404, 'RevisionNotFound');
    const refused = repo.gated !== undefined && authorization !== `Bearer ${repo.gated}`;
    const json = (value: unknown) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(value));
    };
    if (api && what === 'revision')
      return json({
        id: `${owner}/${name}`,
        sha: repo.commit,
        ...(repo.license && { cardData: { license: repo.license } }),
      });
    if (refused) return fail(401, 'GatedRepo');
    const bytesOf = (file: string) => Buffer.from(repo.files[file]!);
    if (api && what === 'tree')
      return json(
        Object.keys(repo.files).map((file) => {
          const bytes = bytesOf(file);
          const oid = hash('sha1', `blob ${bytes.length}\0`, bytes);
          const lfs = { oid: hash('sha256', bytes), size: bytes.length, pointerSize: 130 };
          return { type: 'file', path: file, size: bytes.length, oid, ...(bytes.length >= LFS_FROM && { lfs }) };
        }),
      );
    const file = rest.join('/');
    if (repo.files[file] === undefined) return fail(404, 'EntryNotFound');
    const bytes = options.tamper?.(file, bytesOf(file)) ?? bytesOf(file);
    const [, first = '0', last = `${bytes.length - 1}`] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
    const part = bytes.subarray(Number(first), Number(last) + 1);
    const probe = range === 'bytes=0-0';
    if (!probe) reads.push({ file, from: Number(first), authorization });
    const busy = probe ? undefined : options.busy.shift();
    if (busy !== undefined) return fail(busy, 'Busy');
    if (options.elsewhere !== undefined) {
      response.writeHead(302, { location: `${options.elsewhere}${pathname}` });
      return void response.end();
    }
    response.writeHead(range ? 206 : 200, {
      'content-length': part.length,
      etag: '"x"',
      ...(range && { 'content-range': `bytes ${first}-${last}/${bytes.length}` }),
    });
    if (options.cutAfter !== undefined && part.length > options.cutAfter) {
      response.write(part.subarray(0, options.cutAfter), () => {
        if (!options.hold) setTimeout(() => response.destroy(), 20);
      });
      return;
    }
    response.end(part);
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    options,
    reads,
    close: () => {
      server.closeAllConnections();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
