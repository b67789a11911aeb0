/** What a run's histories hold: events and the largest payload, every link of every workflow below an id counted apart. */
import type { WorkflowClient } from '@temporalio/client';

export interface HistorySize {
  workflowId: string;
  runId: string;
  type: string;
  events: number;
  /** Bytes of the largest single payload. */
  largestPayload: number;
}

const largest = (value: unknown): number => {
  if (value instanceof Uint8Array) return value.byteLength;
  if (typeof value !== 'object' || value === null) return 0;
  return Math.max(0, ...Object.values(value).map(largest));
};

/** The sizes of `root`, its children and their children, all links of continue-as-new included. */
export async function historySizes(client: WorkflowClient, root: string): Promise<HistorySize[]> {
  const sizes: HistorySize[] = [];
  const query = `WorkflowId STARTS_WITH "${root}"`;
  for await (const { workflowId, runId, type } of client.list({ query })) {
    const { events } = await client.getHandle(workflowId, runId).fetchHistory();
    const all = events ?? [];
    sizes.push({ workflowId, runId, type, events: all.length, largestPayload: Math.max(...all.map(largest)) });
  }
  return sizes;
}
