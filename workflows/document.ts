/**
 * The run's document in the store: it follows every change of the run's state, one write after the other, so that the last one
 * stays.
 */
import { isCancellation, proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import type { Published, Unpublished } from '../activities/publish.ts';
import { NON_RETRYABLE } from '../schemas/failure.ts';
import { RETRY } from './stage-calls.ts';

const LOCAL_TRIES = 3;

/** Without end: a run whose state can't be written has to wait for its store; failing would leave it nothing to go on from. */
const PUBLISH_RETRY = { ...RETRY, nonRetryableErrorTypes: NON_RETRYABLE };
const frame = proxyActivities<Pick<Activities, 'publish'>>({
  startToCloseTimeout: '10m',
  heartbeatTimeout: '6s',
  retry: PUBLISH_RETRY,
});
const localFrame = proxyLocalActivities<Pick<Activities, 'publish'>>({
  startToCloseTimeout: '20s',
  retry: { ...PUBLISH_RETRY, maximumAttempts: LOCAL_TRIES },
});

/** As an activity of its own. */
const publish = (document: Unpublished, options: { quiet: boolean }): Promise<Published> =>
  frame.publish.executeWithOptions({ summary: `write the document: ${document.status}` }, [document, options]);

/**
 * Writes the document between iterations, without a round trip through the server. Where that fails, as an activity: nobody
 * sees how a local one is tried again, and a store that is away should be told of.
 */
async function publishBetween(document: Unpublished, options: { quiet: boolean }): Promise<Published> {
  try {
    return await localFrame.publish(document, options);
  } catch (error) {
    if (isCancellation(error)) throw error;
    return publish(document, options);
  }
}

/** @param now the document as the run stands; `quiet`: nobody is told by it. */
export class DocumentWriter {
  private aside: Promise<unknown> = Promise.resolve();
  constructor(
    private readonly now: () => Unpublished,
    private readonly options: { quiet: boolean },
  ) {}

  /** Written when it resolves; `last`: by an activity that everybody sees being tried, for nothing comes after it. */
  async write({ last = false } = {}): Promise<void> {
    await this.written();
    await (last ? publish(this.now(), this.options) : publishBetween(this.now(), this.options));
  }

  /** Beside what comes next, which does not depend on it. A local activity would hold that back with its workflow task. */
  async writeAside(): Promise<void> {
    await this.written();
    this.aside = publish(this.now(), this.options);
    this.aside.catch(() => undefined); // heard of before the next one
  }

  /** Nothing is under way any more. Throws what made the last one fail. */
  async written(): Promise<void> {
    const { aside } = this;
    this.aside = Promise.resolve();
    await aside.catch((error: unknown) => {
      // The document that follows says more than the cancelled one would have.
      if (!isCancellation(error)) throw error;
    });
  }
}
