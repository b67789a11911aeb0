/**
 * Notice: what a person is told when nobody looks, and where to. Targets stand in the worker's settings; no run can name one.
 *
 *   STARTRAIL_NOTIFY='[{"webhook":"https://hooks.example.org/t1"},{"command":["/usr/local/bin/page"],"on":["failed"]}]'
 *
 * A notice holds no prompt, answer or key; `reason` is the sentence in which the run says why it failed or waits.
 */
import { z } from 'zod';

export const NoticeKind = z.enum(['failed', 'waiting', 'promoted']);

export const Notice = z.strictObject({
  format: z.literal(1),
  what: NoticeKind,
  run: z.string(),
  task: z.string(),
  reason: z.string(),
  /** ISO time. */
  at: z.string(),
});
export type Notice = z.infer<typeof Notice>;

const common = {
  on: z.array(NoticeKind).min(1).default(['failed', 'waiting', 'promoted']),
  timeoutMs: z.int().min(1).max(8_000).default(5_000),
};
export const NotifyTarget = z.union([
  /** Program and arguments, started without a shell; the notice comes as JSON on standard input. */
  z.strictObject({ ...common, command: z.array(z.string()).min(1) }),
  /** Gets the notice as the JSON body of a POST. */
  z.strictObject({
    ...common,
    webhook: z.url({ protocol: /^https?$/ }),
    headers: z.record(z.string(), z.string()).optional(),
  }),
]);
export type NotifyTarget = z.infer<typeof NotifyTarget>;
