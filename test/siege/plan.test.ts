/** What a seed stands for: that a failed run can be repeated, and that no kind of fault is left to luck. */
import { expect, it } from 'vitest';
import { KINDS, plansFrom } from './plan.ts';
import type { Plan } from './plan.ts';

/** The runs that hold the first `count` faults. */
function plansOf(seed: number, count: number): Plan[] {
  const plans: Plan[] = [];
  for (const plan of plansFrom(seed)) {
    plans.push(plan);
    if (plans.flatMap(({ faults }) => faults).length >= count) return plans;
  }
  return plans;
}

it('the same seed plans the same runs, another seed others', () => {
  expect(plansOf(1, 200)).toEqual(plansOf(1, 200));
  expect(plansOf(2, 200)).not.toEqual(plansOf(1, 200));
});

it('of 200 faults each kind comes seven times or more, and each run has what its faults need', () => {
  const plans = plansOf(20260401, 200);
  const dealt = plans.flatMap(({ faults }) => faults.map(({ kind }) => kind));
  for (const kind of KINDS) expect(dealt.filter((one) => one === kind).length, kind).toBeGreaterThanOrEqual(7);
  for (const { faults, bucket, codec, smallDisk } of plans) {
    const has = (text: string) => faults.some(({ kind }) => kind.includes(text));
    expect({ bucket, codec, smallDisk }).toEqual({
      bucket: has('S3 server'),
      codec: has('codec server'),
      smallDisk: has('for real'),
    });
    expect(faults.map(({ at }) => at)).toEqual(faults.map(({ at }) => at).sort((x, y) => x - y));
  }
});
