import { expect, it } from 'vitest';
import { atOnce, gently } from '../../engine/tfjs/gently.ts';
import type { Steps } from '../../engine/tfjs/gently.ts';

/** 40 steps of 10 ms. */
function* work(): Steps<number> {
  for (let step = 0; step < 40; step++) {
    const until = performance.now() + 10;
    while (performance.now() < until);
    yield;
  }
  return 40;
}

it('lets timers run inside long work, and none where it is done at once', async () => {
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  expect(atOnce(work())).toBe(40);
  expect(ticks).toBe(0);
  expect(await gently(work())).toBe(40);
  expect(ticks).toBeGreaterThanOrEqual(3);
  clearInterval(timer);
});
