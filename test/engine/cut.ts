import { expect } from 'vitest';
import type { TrainRequest } from '../../engine/engine.ts';
import { train } from '../../engine/tfjs/trainer.ts';

/** Ends a training when `steps` are done, as a kill would: whatever snapshot is there stays. */
export async function cutAt(steps: number, one: TrainRequest): Promise<void> {
  const cut = new Error('cut');
  // The trainer asks once at the start and once before each step.
  let asked = 0;
  const signal = {
    throwIfAborted() {
      if (asked++ === steps + 1) throw cut;
    },
  } as AbortSignal;
  await expect(train(one, { signal })).rejects.toBe(cut);
}
