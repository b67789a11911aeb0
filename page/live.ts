/**
 * Changes by server-sent events: whoever listens to a topic gets every part at once, and afterwards those that changed.
 *
 *   event: part
 *   data: {"id":"head","html":"<div class=…"}
 *
 * One loop a topic, however many listen, and none where nobody does.
 */
import type { ServerResponse } from 'node:http';
import type { Part } from './layout.ts';
import { Refused } from './refusal.ts';

export interface Live {
  /** Takes the response over. Throws Refused 503 where too many listen already. */
  listen(topic: string, parts: () => Promise<Part[]>, response: ServerResponse): void;
  close(): void;
}

interface Topic {
  listeners: Set<ServerResponse>;
  /** What each part was last, by its id. */
  last: Map<string, string>;
  timer: NodeJS.Timeout | undefined;
  /** Why the last look failed, told once; undefined = it did not. */
  failure: string | undefined;
}

const MOST_LISTENERS = 60;
/** Unsent bytes at which a listener that reads nothing is let go; its browser connects again. */
const MOST_WAITING = 4 << 20;
const BEAT_MS = 15_000;

const eventOf = (id: string, html: string): string => `event: part\ndata: ${JSON.stringify({ id, html })}\n\n`;

/** @param failed told why a look failed, once for as long as nothing changes about it */
export function createLive(everyMs: number, failed: (message: string) => void): Live {
  const topics = new Map<string, Topic>();
  const count = () => [...topics.values()].reduce((sum, { listeners }) => sum + listeners.size, 0);

  function send(response: ServerResponse, text: string): void {
    if (response.writableLength > MOST_WAITING) response.destroy();
    else response.write(text);
  }

  async function turn(name: string, topic: Topic, parts: () => Promise<Part[]>): Promise<void> {
    try {
      for (const { id, body } of await parts()) {
        if (topic.last.get(id) === body.text) continue;
        topic.last.set(id, body.text);
        for (const response of topic.listeners) send(response, eventOf(id, body.text));
      }
      topic.failure = undefined;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (message !== topic.failure) failed(message);
      topic.failure = message;
    }
    // The next look begins when this one has ended, so that a slow store is not asked ever more.
    if (topics.get(name) === topic) topic.timer = setTimeout(() => void turn(name, topic, parts), everyMs);
  }

  const beat = setInterval(() => {
    for (const { listeners } of topics.values()) for (const response of listeners) send(response, ': still here\n\n');
  }, BEAT_MS);
  beat.unref();

  return {
    listen(name, parts, response) {
      // Gone while its run was looked up: nothing would ever end its topic.
      if (response.destroyed) return;
      if (count() >= MOST_LISTENERS)
        throw new Refused(503, 'TooManyListeners', 'too many pages are open; close some', { 'retry-after': '10' });
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' });
      response.write('retry: 1000\n\n');
      const existing = topics.get(name);
      const topic: Topic = existing ?? { listeners: new Set(), last: new Map(), timer: undefined, failure: undefined };
      topic.listeners.add(response);
      response.on('close', () => {
        topic.listeners.delete(response);
        if (topic.listeners.size > 0) return;
        clearTimeout(topic.timer);
        if (topics.get(name) === topic) topics.delete(name);
      });
      if (existing) for (const [id, html] of existing.last) send(response, eventOf(id, html));
      else {
        topics.set(name, topic);
        void turn(name, topic, parts);
      }
    },
    close() {
      clearInterval(beat);
      for (const { listeners, timer } of topics.values()) {
        clearTimeout(timer);
        for (const response of listeners) response.end();
      }
      topics.clear();
    },
  };
}
