/** Runs of the store, read again only when they have changed, because live pages ask every second. */
import { RunDocument, RunId } from '../schemas/run.ts';
import type { Store } from '../store/store.ts';
import { notFound } from './refusal.ts';

const PREFIX = 'runs/';

export interface Archive {
  ids(): Promise<string[]>;
  /** The same object for as long as the run has not changed. Throws Refused 404 for what is no run. */
  run(id: string): Promise<RunDocument>;
  /** Newest first; those that can't be read are named apart. */
  runs(): Promise<{ documents: RunDocument[]; unread: string[] }>;
}

export function createArchive(store: Store): Archive {
  const known = new Map<string, { mark: string; document: RunDocument }>();

  async function read(id: string): Promise<RunDocument | undefined> {
    const found = await store.getName(PREFIX + id);
    if (found === undefined) {
      known.delete(id);
      return undefined;
    }
    const { updatedAt, status } = found as Partial<RunDocument>;
    const mark = `${updatedAt} ${status}`;
    const before = known.get(id);
    if (before?.mark === mark) return before.document;
    const document = RunDocument.parse(found);
    known.set(id, { mark, document });
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
          const document = await read(id);
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
