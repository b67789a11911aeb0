/**
 * The KV cache of one batch: grown in steps, written in place, and able to close its ranks.
 *
 * All slots share one position. `gather` makes one cache of rows from several at the same position, so that rows still
 * running leave the ended ones behind; it copies bits, so no row notices.
 */
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import { count, float, free, int, ints, run, T, tensor, type Handle } from './raw.ts';

/** The cache grows by so many positions: whole vectors of every instruction set. */
export const GROWTH = 16;
/** Added to a score that must not count. */
export const MASKED = -1e9;

const PAD = [T, int('Tpaddings')];
const RESHAPE = [T, int('Tshape')];
const CONCAT = [T, int('Tidx')];
const GATHER = [count('batch_dims', 0), float('Tparams'), int('Tindices'), int('Taxis')];

/** A buffer and its flat view; views share memory, so what is written into the view stands in the whole. */
interface Part {
  /** [slots · heads, room, width] */
  whole: Handle;
  /** [slots · heads · room, width] */
  flat: Handle;
}

export class Cache {
  readonly keys: Part[] = [];
  readonly values: Part[] = [];
  /** [slots · heads, 1, room]: 0 where a row may look, else MASKED. */
  mask: Part;
  readonly #config: DecoderConfig;
  /** Left padding of each slot. */
  readonly #padding: Int32Array;
  #length: number;
  #room: number;

  /** Takes over `keys` and `values`: a handle a layer, [slots · heads, length, headSize]; no room is left in them. */
  constructor(config: DecoderConfig, padding: Int32Array, length: number, keys: Handle[], values: Handle[]) {
    this.#config = config;
    this.#padding = padding;
    this.#length = length;
    this.#room = length;
    this.keys = keys.map((whole) => this.#part(whole));
    this.values = values.map((whole) => this.#part(whole));
    this.mask = this.#makeMask();
  }

  /** Positions filled, padding included: the position of the next token. */
  get length(): number {
    return this.#length;
  }

  get full(): boolean {
    return this.#length === this.#room;
  }

  /** Opens the next position, growing where there is no room. @returns the flat rows of that position [slots · heads]. */
  open(): Int32Array {
    if (this.full) this.#grow();
    const rows = this.#padding.length * this.#config.heads;
    const at = new Int32Array(rows);
    for (let row = 0; row < rows; row++) at[row] = row * this.#room + this.#length;
    this.#length++;
    return at;
  }

  /**
   * A full cache of the picked rows, in that order.
   * @param caches full ones of equal length; they stay open.
   * @param picks as many as a cache has slots.
   */
  static gather(caches: readonly Cache[], picks: readonly { cache: number; slot: number }[]): Cache {
    const first = caches[0]!;
    const { heads } = first.#config;
    const slots = first.#padding.length;
    const rows = new Int32Array(slots * heads);
    for (let row = 0; row < rows.length; row++) {
      const { cache, slot } = picks[Math.floor(row / heads)]!;
      rows[row] = (cache * slots + slot) * heads + (row % heads);
    }
    const indices = ints([rows.length], rows);
    const axis = ints([], [0]);
    const pick = (parts: readonly Part[]): Handle => {
      const one = parts.length === 1;
      const all = one
        ? parts[0]!.whole
        : run('ConcatV2', [count('N', parts.length), ...CONCAT], [...parts.map((p) => p.whole), axis]);
      const picked = run('GatherV2', GATHER, [all, indices, axis]);
      if (!one) free(all);
      return picked;
    };
    const keys = first.keys.map((_, layer) => pick(caches.map((cache) => cache.keys[layer]!)));
    const values = first.values.map((_, layer) => pick(caches.map((cache) => cache.values[layer]!)));
    free(indices, axis);
    const padding = Int32Array.from(picks, ({ cache, slot }) => caches[cache]!.#padding[slot]!);
    return new Cache(first.#config, padding, first.#length, keys, values);
  }

  close(): void {
    for (const { whole, flat } of [this.mask, ...this.keys, ...this.values]) free(whole, flat);
  }

  #part(whole: Handle): Part {
    const { heads, dModel } = this.#config;
    return this.#view(whole, [this.#padding.length * heads * this.#room, dModel / heads]);
  }

  #view(whole: Handle, sides: number[]): Part {
    const shape = ints([2], sides);
    const flat = run('Reshape', RESHAPE, [whole, shape]);
    free(shape);
    return { whole, flat };
  }

  #grow(): void {
    const room = (Math.floor(this.#room / GROWTH) + 1) * GROWTH;
    const amount = ints([3, 2], [0, 0, 0, room - this.#room, 0, 0]);
    this.#room = room;
    for (const parts of [this.keys, this.values]) {
      for (const [layer, { whole, flat }] of parts.entries()) {
        parts[layer] = this.#part(run('Pad', PAD, [whole, amount]));
        free(whole, flat);
      }
    }
    free(amount, this.mask.whole, this.mask.flat);
    this.mask = this.#makeMask();
  }

  #makeMask(): Part {
    const { heads } = this.#config;
    const rows = this.#padding.length * heads;
    const mask = new Float32Array(rows * this.#room).fill(MASKED);
    for (let row = 0; row < rows; row++) {
      const start = row * this.#room;
      mask.fill(0, start + this.#padding[Math.floor(row / heads)]!, start + this.#length);
    }
    return this.#view(tensor([rows, 1, this.#room], mask), [rows * this.#room, 1]);
  }
}
