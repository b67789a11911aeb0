/** Ctrl-C, and its relatives, while a run is started and followed. */
import { EXIT } from './exit.ts';

export interface Leaving {
  signal: AbortSignal;
  /** From here on somebody looks at the signal; a detach takes as long as the worker needs to put its work down. */
  orderly(): void;
  done(): void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** A start that hangs (a server that does not come up) must not hold whoever wants to leave. */
const START_GRACE_MS = 5_000;

/** Ctrl-C detaches; a second one does not wait for anything. Children end with this process in any case. */
export function listenForLeave(): Leaving {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let orderly = false;
  const leave = () => {
    if (controller.signal.aborted) process.exit(EXIT.detached);
    controller.abort();
    if (!orderly) timer = setTimeout(() => process.exit(EXIT.detached), START_GRACE_MS);
  };
  for (const name of SIGNALS) process.on(name, leave);
  return {
    signal: controller.signal,
    orderly: () => {
      orderly = true;
      clearTimeout(timer);
    },
    done: () => {
      clearTimeout(timer);
      for (const name of SIGNALS) process.off(name, leave);
    },
  };
}
