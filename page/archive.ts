/**
 * Runs of the store, for live pages, which ask every second: a document is checked against its schema only when it has changed,
 * and a list reads those that have ended every quarter of a minute, because hardly anything happens to them.
 */
import { isFinal, RunDocument, RunId } from '../schemas/run.ts';
import type { Store } from '../store/store.ts';
import { notFound } from './refusal.ts';

const PREFIX = 'runs/';
/** As long a list may show a run that has ended as it was: one can be reset, or its document repaired. */
const RESTS_MS = 15_000;

export interface Archive {
  ids(): Promise<string[]>;
  /** The same object for as long as the run has not changed. Throws Refused 404 for what is no run. */
  run(id: string): Promise<RunDocument>;
  /** Newest first; those that can't be read are named apart. */
  runs(): Promise<{ documents: RunDocument[]; unread: string[] }>;
}

/** @param now milliseconds */
export function createArchive(store: Store, now = () => performance.now()): Archive {
  const known = new Map<string, { mark: string; document: RunDocument; readAt: number }>();

  async function read(id: string): Promise<RunDocument | undefined> {
    const found = await store.getName(PREFIX + id);
    if (found === undefined) {
      known.delete(id);
      return undefined;
    }
    const { updatedAt, status } = found as Partial<RunDocument>;
    const mark = `${updatedAt} ${status}`;
    const before = known.get(id);
    const document = before?.mark === mark ? before.document : RunDocument.parse(found);
    known.set(id, { mark, document, readAt: now() });
    return document;
  }
  const ids = async () =>
    (await store.listNames(PREFIX)).map((name) => (name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name)).sort();

  return {
    ids,
    async run(id) {
      const document = RunId.safeParse(id).success ? await read(id) : undefined;
      if (!document) throw notFound('there is no such run');
      return document;
    },
    async runs() {
      const documents: RunDocument[] = [];
      const unread: string[] = [];
      for (const id of await ids()) {
        try {
          const before = known.get(id);
          const rests = before && isFinal(before.document.status) && now() - before.readAt < RESTS_MS;
          const document = rests ? before.document : await read(id);
          if (document) documents.push(document);
        } catch {
          unread.push(id); // one damaged document must not hide the others
        }
      }
      documents.sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1));
      return { documents, unread };
    },
  };
}
