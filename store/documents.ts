/**
 * Named documents, the same in every kind of store: names/memo/ab12….json holds { "check": "sha256:…", "value": … }.
 *
 *   keyOfName('runs/Night-1')            // 'names/runs/!night-1.json'
 *   parseDocument(documentBytes(value))  // { value }
 *
 * `check` is taken over the value's canonical JSON, so a torn or flipped document is noticed. Memo entries and the index of
 * producers are a cache: a damaged one is set aside and counts as absent. Others are the only copy: that is an error.
 */
import { canonicalJson } from '../schemas/canonical.ts';
import { digestOf } from './objects.ts';
import { StoreError } from './store.ts';

const CACHES = ['memo/', 'producers/'];
const ENDING = '.json';

/** A damaged document of this name is worth no more than an absent one. */
export const isCache = (name: string): boolean => CACHES.some((prefix) => name.startsWith(prefix));

/** `by` tells one write from another of the same value; absent where nobody asks. */
export function documentBytes(value: unknown, by?: string): Buffer {
  const canonical = canonicalJson(value);
  const author = by === undefined ? '' : `"by":${JSON.stringify(by)},`;
  return Buffer.from(`{${author}"check":"${digestOf(canonical)}","value":${canonical}}\n`);
}

/** Undefined if the bytes are torn or altered. */
export function parseDocument(bytes: Buffer): { value: unknown; by: string | undefined } | undefined {
  try {
    const document = JSON.parse(bytes.toString('utf8')) as { check?: unknown; value?: unknown; by?: unknown };
    if (document.check !== digestOf(canonicalJson(document.value))) return undefined;
    return { value: document.value, by: typeof document.by === 'string' ? document.by : undefined };
  } catch {
    return undefined;
  }
}

/** A value as it would be read back: without what JSON drops. */
export const asReadBack = (value: unknown): unknown => JSON.parse(canonicalJson(value));

export const damagedDocument = (name: string, place: string): StoreError =>
  new StoreError(
    'ArtifactDamaged',
    `the document ${name} is torn or altered: ${place}. Put it back from a copy, or remove it to start without it.`,
  );

/** One path segment, safe on file systems that ignore case; a dot never stands without "!", so no folder looks like a file. */
function encodeSegment(segment: string): string {
  const encoded = [...segment]
    .map((char) => {
      if (/[a-z0-9_-]/.test(char)) return char;
      if (/[A-Z]/.test(char)) return `!${char.toLowerCase()}`;
      if (char === '.') return '!.';
      return [...Buffer.from(char)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
    })
    .join('');
  if (encoded === '' || encoded.length > 240) {
    throw new RangeError(`store name: each part between slashes needs 1 to about 100 characters, found "${segment}"`);
  }
  return encoded;
}

const decodeSegment = (encoded: string) =>
  decodeURIComponent(encoded.replaceAll(/!(.)/g, (_, char: string) => char.toUpperCase()));

/** Where a name lies below the store's root. Throws RangeError for an empty or very long part. */
export const keyOfName = (name: string): string => `names/${name.split('/').map(encodeSegment).join('/')}${ENDING}`;

/** The deepest folder that holds every name of this prefix, ending in "/". */
export const folderOfPrefix = (prefix: string): string =>
  ['names', ...prefix.split('/').slice(0, -1).map(encodeSegment)].map((part) => `${part}/`).join('');

/** The name that lies there; undefined for a key that is no document's. */
export function nameOfKey(key: string): string | undefined {
  if (!key.startsWith('names/') || !key.endsWith(ENDING)) return undefined;
  return key.slice('names/'.length, -ENDING.length).split('/').map(decodeSegment).join('/');
}
