/**
 * A prefix that all rows of a request share (few-shot examples): computed once, in one row, and read by every slot.
 *
 *   const prefix = openPrefix(kernels, config, passes, ids);
 *   Cache.open(kernels, config, padding, room, prefix);
 *   closePrefix(prefix);
 */
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import { Cache, type SharedPrefix } from './cache.ts';
import type { HandleKernels } from './handles.ts';
import { headWidthOf, kvHeadsOf } from './parameters.ts';
import type { Passes } from './passes.ts';
import { free, type Handle } from './raw.ts';

/** Keys and values of `ids`, at least one; a function of them alone. */
export function openPrefix(
  k: HandleKernels,
  config: DecoderConfig,
  passes: Passes,
  ids: readonly number[],
): SharedPrefix {
  const { length } = ids;
  const [groups, width] = [kvHeadsOf(config), headWidthOf(config)];
  const cache = Cache.open(k, config, Int32Array.of(0), length);
  const prefix: SharedPrefix = { length, keys: [], values: [] };
  try {
    free(passes.run(cache, Int32Array.from(ids), 'best'));
    for (const part of cache.parts) {
      const whole = k.reshape(part, { vector: k.vector([2 * groups, length, width]) });
      // Slices, not a split: a part of a split would keep the whole alive.
      const half = (from: number) => k.slice(whole, k.vector([from, 0, 0]), k.vector([groups, length, width]));
      const made: [Handle, Handle] = [k.transpose(half(0), [0, 2, 1]), half(groups)];
      k.release(...made);
      prefix.keys.push(made[0]);
      prefix.values.push(made[1]);
    }
    return prefix;
  } catch (error) {
    closePrefix(prefix);
    throw error;
  } finally {
    cache.close();
  }
}

export function closePrefix({ keys, values }: SharedPrefix): void {
  free(...keys, ...values);
}
