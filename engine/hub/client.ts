/**
 * What is asked of the Hugging Face Hub, by @huggingface/hub, and how its refusals are told.
 *
 *   const hub = openHub({ url: 'https://huggingface.co', token: undefined });
 *   const { commit, license } = await hub.resolve('HuggingFaceTB/SmolLM2-135M', 'main');
 *   for (const { path, size } of await hub.list(name, commit)) …
 *   const stream = await hub.read(name, commit, 'model.safetensors', 4096);    // from byte 4096 on
 *
 * The token goes to the Hub's own address alone, never to where it redirects to, and into no message. Plain HTTP with ranges: the
 * Hub serves files of its chunk store (Xet) so too.
 */
import * as library from '@huggingface/hub';

export type HubCode =
  | 'ModelNotFound' // no such repository, revision or file
  | 'ModelGated' // its owner asks for consent first
  | 'HubUnreachable' // offline, or it did not answer as it should
  | 'DownloadDamaged' // bytes that are not those the Hub lists
  | 'ModelUnsupported' // nothing in it that startrail reads
  | 'ModelExists' // another model has that name here
  | 'DatasetUnsupported' // not laid out as the task's description of it says
  | 'DatasetExists' // another file has that name here
  | 'FetchUnderWay' // another process is at it
  | 'StoreFull'
  | 'InvalidInput';

/** A trouble with the Hub, as one sentence with its cure. */
export class HubError extends Error {
  override readonly name = 'HubError';
  constructor(
    readonly code: HubCode,
    readonly sentence: string,
    /** Worth another try: a cut connection, a busy server. */
    readonly passing = false,
  ) {
    super(`${code}: ${sentence}`);
  }
}

export interface HubFile {
  path: string;
  size: number;
  /** Git's name of the content, or where it is kept apart (LFS) its SHA-256. */
  expected: { kind: 'sha256' | 'git'; digest: string };
}

export interface Hub {
  resolve(name: string, revision: string): Promise<{ commit: string; license: string | null }>;
  list(name: string, commit: string): Promise<HubFile[]>;
  /** The bytes of a file from `from` on. */
  read(
    name: string,
    commit: string,
    file: string,
    from: number,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array>>;
}

/** What is used of the package, whose own types name files without their endings: TypeScript does not find them. */
interface Common {
  hubUrl: string;
  fetch: typeof fetch;
  accessToken?: string;
}
type Info = (
  asked: Common & { name: string; revision: string; additionalFields: string[] },
) => Promise<{ sha: string; cardData?: { license?: unknown }; tags?: string[] }>;
interface Repo {
  type: 'model' | 'dataset';
  name: string;
}
const { modelInfo, datasetInfo, listFiles, downloadFile } = library as unknown as {
  modelInfo: Info;
  datasetInfo: Info;
  listFiles(
    asked: Common & { repo: Repo; revision: string; recursive: boolean },
  ): AsyncIterable<{ type: string; path: string; size: number; oid: string; lfs?: { oid: string } }>;
  downloadFile(asked: Common & { repo: Repo; path: string; revision: string; xet: boolean }): Promise<Blob | null>;
};

export interface HubOptions {
  url: string;
  token: string | undefined;
  /** What names stand for. */
  type?: 'model' | 'dataset';
}

/** Until the first byte of an answer. */
const ANSWER_MS = 30_000;

/** @param url without a path behind it. @throws HubError InvalidInput for a token that is none. */
export function openHub({ url, token, type = 'model' }: HubOptions): Hub {
  if (token !== undefined && !token.startsWith('hf_'))
    throw new HubError(
      'InvalidInput',
      'HF_TOKEN holds no token of the Hub: it must begin with hf_; correct or unset it',
    );
  const hubUrl = url.replace(/\/+$/, '');
  const origin = new URL(hubUrl).origin;

  const asking = (name: string, revision: string, signal?: AbortSignal) => {
    /** What went wrong: a stream of the package passes on no more than its words. */
    const seen: { fault?: HubError } = {};
    const fetchHere: typeof fetch = async (address, init = {}) => {
      const target = new URL(address instanceof Request ? address.url : address, hubUrl);
      const headers = new Headers(init.headers);
      if (target.origin !== origin) headers.delete('authorization');
      const late = new AbortController();
      const timer = setTimeout(() => late.abort(new Error(`no answer within ${ANSWER_MS / 1000} s`)), ANSWER_MS);
      let response: Response;
      try {
        response = await fetch(target, {
          ...init,
          headers,
          signal: AbortSignal.any([late.signal, ...(signal ? [signal] : [])]),
        });
      } catch (error) {
        throw (seen.fault = unreachable(error));
      } finally {
        clearTimeout(timer);
      }
      if (!response.ok) throw (seen.fault = await refusal(response));
      const from = /^bytes=(\d+)-/.exec(headers.get('range') ?? '')?.[1] ?? '0';
      if (from !== '0' && response.status !== 206)
        throw (seen.fault = new HubError(
          'HubUnreachable',
          `${origin} does not send parts of files; delete the folder .fetching beside what was fetched before, and fetch in one go`,
        ));
      return response;
    };
    const unreachable = (error: unknown) => {
      const { message, cause } = error as Error & { cause?: { code?: string; message?: string } };
      return new HubError(
        'HubUnreachable',
        `${origin} does not answer (${cause?.code ?? cause?.message ?? message}); look whether this machine is online, name a mirror in HF_ENDPOINT, or put the files into their folder by hand; what was fetched is kept`,
        true,
      );
    };
    const refusal = async (response: Response): Promise<HubError> => {
      const why = response.headers.get('x-error-code');
      const { status } = response;
      await response.body?.cancel();
      if (why === 'GatedRepo' || (status === 403 && why === null) || (status === 401 && why === null))
        return new HubError(
          'ModelGated',
          `${name} is given only to those whom its owner lets in; accept its terms at ${origin}/${type === 'dataset' ? 'datasets/' : ''}${name} and set HF_TOKEN to a token that may read it${token === undefined ? '' : ' (the one that is set may not)'}`,
        );
      if (why === 'RevisionNotFound')
        return new HubError('ModelNotFound', `${name} has no revision ${revision}; name a branch, tag or commit of it`);
      if (why === 'EntryNotFound') return new HubError('ModelNotFound', `${name} has no such file at ${revision}`);
      if (status === 404 || why === 'RepoNotFound')
        return new HubError(
          'ModelNotFound',
          `there is no ${type === 'model' ? 'model' : 'data set'} ${name} at ${origin}, or it is private; look at the spelling (owner/name), or set HF_TOKEN to a token that may read it`,
        );
      return new HubError(
        'HubUnreachable',
        `${origin} answers with status ${status}; try again later: what was fetched is kept`,
        status === 429 || status >= 500,
      );
    };
    const common: Common = { hubUrl, fetch: fetchHere, ...(token !== undefined && { accessToken: token }) };
    /** An answer that is none: something else is at that address. */
    const strange = (error: unknown) =>
      seen.fault ??
      (error instanceof HubError
        ? error
        : new HubError(
            'HubUnreachable',
            `${origin} answers with something else than the Hub's words; look at HF_ENDPOINT`,
          ));
    return { common, seen, strange, unreachable };
  };

  return {
    async resolve(name, revision) {
      const { common, strange } = asking(name, revision);
      const asked = { ...common, name, revision, additionalFields: ['sha', 'cardData', 'tags'] };
      const { sha, cardData, tags } = await (type === 'model' ? modelInfo : datasetInfo)(asked).catch(
        (error: unknown) => {
          throw strange(error);
        },
      );
      if (!/^[0-9a-f]{40}$/.test(String(sha))) throw strange(undefined);
      const tag = tags?.find((each) => each.startsWith('license:'))?.slice('license:'.length);
      const license = typeof cardData?.license === 'string' ? cardData.license : (tag ?? null);
      return { commit: sha, license };
    },

    async list(name, commit) {
      const { common, strange } = asking(name, commit);
      const files: HubFile[] = [];
      try {
        for await (const { type: kind, path, size, oid, lfs } of listFiles({
          ...common,
          repo: { type, name },
          revision: commit,
          recursive: true,
        }))
          if (kind === 'file')
            files.push({
              path,
              size,
              expected: lfs ? { kind: 'sha256', digest: lfs.oid } : { kind: 'git', digest: oid },
            });
      } catch (error) {
        throw strange(error);
      }
      return files;
    },

    async read(name, commit, file, from, signal) {
      const { common, seen, strange, unreachable } = asking(name, commit, signal);
      const blob = await downloadFile({
        ...common,
        repo: { type, name },
        path: file,
        revision: commit,
        xet: false,
      }).catch((error: unknown) => {
        throw strange(error);
      });
      if (blob === null) throw new HubError('ModelNotFound', `${name} has no file ${file} at ${commit}`);
      return (async function* () {
        try {
          yield* blob.slice(from).stream() as unknown as AsyncIterable<Uint8Array>;
        } catch (error) {
          throw seen.fault ?? unreachable(error);
        }
      })();
    },
  };
}
