/**
 * A batch inside the library: what a pass reads of it (PassInputs), as tensors.
 *
 *   const tables = new PassTables(config);
 *   const inputs = { ...passTensors(config, batch), ...tables.of(batch) };
 */
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import type { Batch } from './batches.ts';
import { CODES } from './kernels.ts';
import { tf } from './native.ts';
import type { Tensor } from './native.ts';
import { makeTables, passShapes, rotationsAt } from './pass-inputs.ts';
import type { PassInputs } from './pass-inputs.ts';
import { diagonalMask, lengthOf, placesOf } from './quiet-streams.ts';
import type { Streams } from './quiet-streams.ts';

/** Inputs of int32, in the order they are fed to a recorded pass. */
export const PASS_INTEGERS = [
  'ids',
  'places',
  'positions',
  'targets',
  'pieces',
  'tokens',
  'headsShape',
  'pairsShape',
  'rotationShape',
  'maskShape',
] as const;

type Tables = Pick<PassInputs<Tensor>, 'rotations' | 'mask'>;

/** Those of PASS_INTEGERS; disposed of by the caller (tf.tidy). `pieces`: how many there are of them. */
export function passTensors(config: DecoderConfig, batch: Omit<Batch, 'tokens'>) {
  const shapes = passShapes(config, batch);
  const ints = (values: ArrayLike<number>): Tensor => tf.tensor1d(Int32Array.from(values), 'int32');
  const { positions, targets, ids } = batch;
  const inputs: Omit<PassInputs<Tensor>, 'rotations' | 'mask'> = {
    ids: ints(ids),
    places: ints(shapes.places),
    positions: ints(positions),
    targets: ints(targets),
    pieces: ints(shapes.pieces),
    tokens: tf.scalar(shapes.tokens, 'int32'),
    headsShape: ints(shapes.headsShape),
    pairsShape: ints(shapes.pairsShape),
    rotationShape: ints(shapes.rotationShape),
    maskShape: ints(shapes.maskShape),
  };
  return { inputs, pieces: shapes.pieces.length };
}

/** What an aim reads of a batch besides, in the order of `asked` (`aimInputs`, objective.ts); disposed of by the caller. */
export function aimTensors(
  { aim }: Pick<Batch, 'aim'>,
  asked: readonly (readonly [name: string, type: number])[],
): Record<string, Tensor> {
  const tensors = asked.map(([name, type]): [string, Tensor] => {
    const { values, shape } = aim!.inputs[name]!;
    return [name, tf.tensor(values, shape, type === CODES.int32 ? 'int32' : 'float32')];
  });
  return Object.fromEntries(tensors);
}

/** The tables of rotations and of what is masked grow by so many positions. */
const TABLE_STEP = 64;
/** So many arrangements of thoughts keep their tables. */
const ARRANGEMENTS = 8;

/** Tables of a config, kept as long as batches are alike. */
export class PassTables {
  #plain: (Tables & { length: number }) | undefined;
  readonly #thinking = new Map<string, Tables>();
  constructor(readonly config: DecoderConfig) {}

  of({ time, thinking }: Pick<Batch, 'time' | 'thinking'>): Tables {
    return thinking === undefined ? this.#plainFor(time) : this.#streams(thinking);
  }

  /** Made for the longest row so far: a context may be much longer than the rows trained on. */
  #plainFor(time: number): Tables {
    if (this.#plain !== undefined && this.#plain.length >= time) return this.#plain;
    drop(this.#plain);
    const length = Math.ceil(time / TABLE_STEP) * TABLE_STEP;
    const tables = kept(makeTables(this.config, length));
    this.#plain = { ...tables, length };
    return tables;
  }

  #streams(streams: Streams): Tables {
    const key = JSON.stringify(streams);
    const known = this.#thinking.get(key);
    if (known !== undefined) return known;
    for (const [oldest, tables] of this.#thinking) {
      if (this.#thinking.size < ARRANGEMENTS) break;
      this.#thinking.delete(oldest);
      drop(tables);
    }
    const length = lengthOf(streams);
    const mask = { values: diagonalMask(streams, this.config.window), shape: [1, length, length] };
    const made = kept({ rotations: rotationsAt(this.config, placesOf(streams)), mask });
    this.#thinking.set(key, made);
    return made;
  }

  dispose(): void {
    for (const tables of [this.#plain, ...this.#thinking.values()]) drop(tables);
    this.#plain = undefined;
    this.#thinking.clear();
  }
}

interface Table {
  values: Float32Array;
  shape: number[];
}
const kept = ({ rotations, mask }: { rotations: Table; mask: Table }): Tables => {
  const put = ({ values, shape }: Table): Tensor => tf.keep(tf.tensor(values, shape));
  return { rotations: put(rotations), mask: put(mask) };
};
const drop = (tables: Tables | undefined): void => {
  tables?.rotations.dispose();
  tables?.mask.dispose();
};
