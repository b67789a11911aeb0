/**
 * A task's model pointer in a store: `models/<task>/000001`, `…/000002`, each one event, written create-exclusively.
 *
 *   await appendEvent(store, 'addition', (events) => ({ what: 'promoted', … }))
 *
 * Two that move a pointer at once can't lose one another's event: the second finds its number taken, reads what came in
 * between and decides anew. There is no pointer file that could disagree with the history.
 */
import { ModelEvent } from '../schemas/models.ts';
import type { NumberedEvent } from '../schemas/models.ts';
import { StoreError } from './store.ts';
import type { Store } from './store.ts';

const PREFIX = 'models/';
const TRIES = 20;
const nameOf = (task: string, n: number) => `${PREFIX}${task}/${String(n).padStart(6, '0')}`;

/** Tasks that have a history, sorted. */
export async function tasksWithModels(store: Store): Promise<string[]> {
  const names = await store.listNames(PREFIX);
  return [...new Set(names.map((name) => name.slice(PREFIX.length).split('/')[0] as string))].sort();
}

/** The whole history of a task, oldest first. Throws StoreError as the store does, and for a gap or a foreign format. */
export async function readEvents(store: Store, task: string): Promise<NumberedEvent[]> {
  const names = await store.listNames(`${PREFIX}${task}/`);
  return Promise.all(
    names.map(async (_, index) => {
      const n = index + 1;
      const parsed = ModelEvent.safeParse(await store.getName(nameOf(task, n)));
      if (parsed.success) return { ...parsed.data, n };
      const issue = parsed.error.issues[0];
      throw new StoreError(
        'StoreUnreachable',
        `event ${n} of the models of ${task} in ${store.location} is missing or not of format 1 (${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}); put ${nameOf(task, n)} back from a copy`,
      );
    }),
  );
}

/**
 * Adds the event that `make` draws up from the history so far; where one of its key stands already, that one is returned.
 * `make` runs again when another event came first, and may throw to add nothing.
 */
export async function appendEvent(
  store: Store,
  task: string,
  make: (events: NumberedEvent[]) => ModelEvent,
): Promise<NumberedEvent> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const events = await readEvents(store, task);
    const event = ModelEvent.parse(make(events));
    const standing = events.find(({ key }) => key === event.key);
    if (standing) return standing;
    const n = events.length + 1;
    if ((await store.createName(nameOf(task, n), event)).created) return { ...event, n };
  }
  throw new StoreError('StoreUnreachable', `the models of ${task} keep changing; try again`);
}
