/** The gate of an iteration: whether new shards may start. One in starIteration, one in each of its fan-out children. */
import { condition, defineSignal, setHandler } from '@temporalio/workflow';
import { ApplicationFailure } from '@temporalio/common';
import { budgetSpent } from './spending.ts';

export type GateState = 'open' | 'hold' | 'halt';
/** `hold`: no new shard starts; `halt`: the same, for good, and the iteration ends unsealed. */
export const gateSignal = defineSignal<[GateState]>('gate');
/** Type of the failure with which a halted iteration ends. */
export const HALTED = 'Halted';

/** Listens to the signal from its making on. */
export class ShardGate {
  constructor(
    public state: GateState = 'open',
    onChange: (state: GateState) => void = () => undefined,
  ) {
    setHandler(gateSignal, (next) => {
      if (this.state === 'halt' || this.state === next) return;
      this.state = next;
      onChange(next);
    });
  }

  /**
   * Resolves when a shard may start. Rejects with HALTED, or with BudgetSpent, when what is under way has ended, for it stays
   * in the memo.
   */
  async admitted(running: () => number, spending: { over(): string | undefined }): Promise<void> {
    await condition(() => this.state !== 'hold');
    const over = spending.over();
    if (this.state === 'open' && over === undefined) return;
    await condition(() => running() === 0);
    if (this.state === 'halt' || over === undefined)
      throw ApplicationFailure.nonRetryable('the run was stopped', HALTED);
    throw budgetSpent(over);
  }
}
