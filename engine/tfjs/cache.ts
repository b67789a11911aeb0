/**
 * The KV cache of one batch: grown in steps, written in place, and able to close its ranks.
 *
 * All slots share one length; a slot's prompt is padded on the left, and its tokens count from behind the padding. `gather`
 * makes one cache of rows from several at the same length, so that rows still running leave the ended ones behind; it
 * copies bits, so no row notices.
 */
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import type { HandleKernels } from './handles.ts';
import { headWidthOf, kvHeadsOf } from './parameters.ts';
import { free, ints, type Handle } from './raw.ts';

/** The cache grows by so many positions: whole vectors of every instruction set. */
export const GROWTH = 16;
/** Added to a score that must not count. */
export const MASKED = -1e9;

/** The keys and values of tokens that stand before every row's prompt; one copy for all. */
export interface SharedPrefix {
  length: number;
  /** A layer each: [groups, width, length] and [groups, length, width]. */
  keys: Handle[];
  values: Handle[];
}

export class Cache {
  readonly slots: number;
  /** Left padding of each slot. */
  readonly padding: Int32Array;
  readonly prefix: SharedPrefix | undefined;
  /** A layer each: [2 · groups · slots · room, width], keys before values. */
  parts: Handle[];
  /** [slots, room] in this process: 0 where a row may look, else MASKED. */
  mask: Float32Array;
  room: number;
  readonly #config: DecoderConfig;
  #length: number;

  /** Takes over `parts`, in which `length` of `room` positions are filled. */
  constructor(
    config: DecoderConfig,
    { padding, length, room, parts, prefix }: Pick<Cache, 'padding' | 'length' | 'room' | 'parts' | 'prefix'>,
  ) {
    this.#config = config;
    this.slots = padding.length;
    this.padding = padding;
    this.prefix = prefix;
    this.parts = parts;
    this.room = room;
    this.#length = length;
    this.mask = this.#makeMask();
  }

  /** An empty cache with room for `room` positions. */
  static open(
    k: HandleKernels,
    config: DecoderConfig,
    padding: Int32Array,
    room: number,
    prefix?: SharedPrefix,
  ): Cache {
    const width = headWidthOf(config);
    const shape = k.vector([2 * kvHeadsOf(config) * padding.length * room, width]);
    const parts = Array.from({ length: config.layers }, () => k.zeros(shape));
    k.release(...parts);
    return new Cache(config, { padding, length: 0, room, parts, prefix });
  }

  /** Positions filled, padding included and the prefix not. */
  get length(): number {
    return this.#length;
  }

  get full(): boolean {
    return this.#length === this.room;
  }

  /** Says that the next `tokens` positions of every slot are written; after it they may be looked at. */
  fill(tokens: number): void {
    for (let slot = 0; slot < this.slots; slot++) {
      const from = Math.max(this.padding[slot]!, this.#length);
      this.mask.fill(0, slot * this.room + from, slot * this.room + this.#length + tokens);
    }
    this.#length += tokens;
  }

  /** The rows of a layer's buffer for the next `tokens` positions: [2 · groups][slots][tokens]. */
  rows(tokens: number): Int32Array {
    const blocks = 2 * kvHeadsOf(this.#config) * this.slots;
    const rows = new Int32Array(blocks * tokens);
    for (let block = 0, at = 0; block < blocks; block++)
      for (let t = 0; t < tokens; t++, at++) rows[at] = block * this.room + this.#length + t;
    return rows;
  }

  /** Room for more positions: a function of the room there is. */
  grow(k: HandleKernels): void {
    const blocks = 2 * kvHeadsOf(this.#config) * this.slots;
    const before = this.room;
    const width = headWidthOf(this.#config);
    this.room = (Math.floor(before / GROWTH) + 1) * GROWTH;
    const amounts = k.ints([0, 0, 0, this.room - before, 0, 0], [3, 2]);
    for (const [layer, part] of this.parts.entries()) {
      const whole = k.reshape(part, { vector: k.vector([blocks, before, width]) });
      const grown = k.reshape(k.pad(whole, amounts), [-1, width]);
      k.release(grown);
      free(part);
      this.parts[layer] = grown;
    }
    this.mask = this.#makeMask();
  }

  /**
   * A full cache of the picked rows, in that order.
   * @param caches full ones of equal length and prefix; they stay open.
   */
  static gather(k: HandleKernels, caches: readonly Cache[], picks: readonly { cache: number; slot: number }[]): Cache {
    const first = caches[0]!;
    const blocks = 2 * kvHeadsOf(first.#config);
    const [room, width] = [first.room, headWidthOf(first.#config)];
    const starts: number[] = [];
    let rows = 0;
    for (const { slots } of caches) {
      starts.push(rows);
      rows += blocks * slots;
    }
    const wanted = Array.from({ length: blocks }, (_, block) =>
      picks.map(({ cache, slot }) => starts[cache]! + block * caches[cache]!.slots + slot),
    ).flat();
    const at = ints([wanted.length], wanted);
    const parts = first.parts.map((_, layer) => {
      const all = caches.map(({ parts }) => k.reshape(parts[layer]!, [-1, room * width]));
      const picked = k.reshape(k.gather(k.concat(all), at), [-1, width]);
      k.release(picked);
      return picked;
    });
    free(at);
    const padding = Int32Array.from(picks, ({ cache, slot }) => caches[cache]!.padding[slot]!);
    return new Cache(first.#config, { padding, length: first.#length, room, parts, prefix: first.prefix });
  }

  /** One cache of the slots of several, in order; takes them over. */
  static join(k: HandleKernels, caches: readonly Cache[]): Cache {
    if (caches.length === 1) return caches[0]!;
    const picks = caches.flatMap(({ slots }, cache) => Array.from({ length: slots }, (_, slot) => ({ cache, slot })));
    const joined = Cache.gather(k, caches, picks);
    for (const cache of caches) cache.close();
    return joined;
  }

  close(): void {
    free(...this.parts);
    this.parts = [];
  }

  #makeMask(): Float32Array {
    const mask = new Float32Array(this.slots * this.room).fill(MASKED);
    for (let slot = 0; slot < this.slots; slot++)
      mask.fill(0, slot * this.room + this.padding[slot]!, slot * this.room + this.#length);
    return mask;
  }
}
