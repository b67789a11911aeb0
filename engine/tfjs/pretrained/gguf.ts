/**
 * Reads GGUF files (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), versions 2 and 3.
 *
 *   const { metadata, ...weights } = await openGguf('model.gguf');
 *   metadata.get('general.architecture')                     // 'llama'
 *   await weights.read('blk.0.attn_q.weight')                // float32
 *
 * Limits: little-endian; F32, F16, BF16, Q4_0, Q4_1 and Q8_0.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { FORMATS, type FormatName } from './numbers.ts';
import { refused, sizeOf, type Weights } from './source.ts';

export type GgufValue = string | number | boolean | GgufValue[];

/** ggml's numbers for types of tensors; those that FORMATS lacks are refused by name. */
const TYPES: Record<number, string> = {
  ...{ 0: 'F32', 1: 'F16', 2: 'Q4_0', 3: 'Q4_1', 6: 'Q5_0', 7: 'Q5_1', 8: 'Q8_0', 9: 'Q8_1', 10: 'Q2_K', 11: 'Q3_K' },
  ...{ 12: 'Q4_K', 13: 'Q5_K', 14: 'Q6_K', 15: 'Q8_K', 16: 'IQ2_XXS', 17: 'IQ2_XS', 18: 'IQ3_XXS', 19: 'IQ1_S' },
  ...{ 20: 'IQ4_NL', 21: 'IQ3_S', 22: 'IQ2_S', 23: 'IQ4_XS', 24: 'I8', 25: 'I16', 26: 'I32', 27: 'I64', 28: 'F64' },
  ...{ 29: 'IQ1_M', 30: 'BF16', 34: 'TQ1_0', 35: 'TQ2_0', 39: 'MXFP4' },
};
const CHUNK = 1 << 20;
const ARRAY = 9;

interface Entry {
  format: FormatName;
  shape: number[];
  /** From the start of the file. */
  begin: number;
  bytes: number;
}

/** @throws EngineError CheckpointInvalid: no GGUF, torn, or a tensor of a type that is not read. */
export function openGguf(file: string): Weights & { metadata: ReadonlyMap<string, GgufValue> } {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch (error) {
    throw refused(
      file,
      `cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`,
      'look at its path',
    );
  }
  try {
    const { metadata, entries } = readHeader(file, descriptor);
    return {
      metadata,
      shapes: new Map([...entries].map(([name, { shape }]) => [name, shape])),
      read: (name) => {
        const { format, shape, begin, bytes } = entries.get(name)!;
        const stored = Buffer.allocUnsafe(bytes);
        if (fill(descriptor, stored, begin) < bytes) throw refused(file, `is torn inside ${name}`);
        return Promise.resolve(FORMATS[format].decode(stored, sizeOf(shape)));
      },
      close: () => Promise.resolve(closeSync(descriptor)),
    };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

function readHeader(file: string, descriptor: number) {
  const { size } = fstatSync(descriptor);
  const cursor = new Cursor(file, descriptor, size);
  if (size < 4 || cursor.take(4).toString('latin1') !== 'GGUF')
    throw refused(file, 'is no GGUF file: it does not begin with "GGUF"', 'give a .gguf file or a model folder');
  const version = cursor.uint32();
  if (version !== 2 && version !== 3)
    throw refused(file, `is GGUF version ${version}`, 'convert it to version 3 (also read: 2)');
  const [tensors, pairs] = [cursor.uint64(), cursor.uint64()];
  const metadata = new Map<string, GgufValue>();
  for (let n = 0; n < pairs; n++) metadata.set(cursor.string(), cursor.value(cursor.uint32()));

  const found: { name: string; shape: number[]; format: FormatName; offset: number }[] = [];
  for (let n = 0; n < tensors; n++) {
    const name = cursor.string();
    // GGUF lists the side that runs fastest first.
    const shape = Array.from({ length: cursor.uint32() }, () => cursor.uint64()).reverse();
    const type = cursor.uint32();
    const format = TYPES[type] ?? `type ${type}`;
    if (!Object.hasOwn(FORMATS, format))
      throw refused(file, `holds ${name} as ${format}`, `convert it to one of ${Object.keys(FORMATS).join(', ')}`);
    found.push({ name, shape, format: format as FormatName, offset: cursor.uint64() });
  }
  const alignment = Number(metadata.get('general.alignment') ?? 32);
  const start = Math.ceil(cursor.at / alignment) * alignment;
  const entries = new Map<string, Entry>();
  for (const { name, shape, format, offset } of found) {
    const { block, bytes: blockBytes } = FORMATS[format];
    const last = shape.at(-1) ?? 1;
    if (last % block !== 0)
      throw refused(file, `holds ${name} as ${format} in rows of ${last}, not whole blocks of ${block}`);
    const [begin, bytes] = [start + offset, (sizeOf(shape) / block) * blockBytes];
    if (begin + bytes > size) throw refused(file, `is torn inside ${name}: ${size} of ${begin + bytes} bytes`);
    entries.set(name, { format, shape, begin, bytes });
  }
  return { metadata, entries };
}

/** As many bytes as the file has, at most the buffer's length. */
function fill(descriptor: number, buffer: Buffer, from: number): number {
  let done = 0;
  while (done < buffer.length) {
    // One call reads at most 2 GiB.
    const read = readSync(descriptor, buffer, done, Math.min(buffer.length - done, 1 << 30), from + done);
    if (read === 0) break;
    done += read;
  }
  return done;
}

/** Reads on from the start of the file; a vocabulary is 100,000 short strings, so it reads in chunks. */
class Cursor {
  #chunk = Buffer.alloc(0);
  #chunkStart = 0;
  at = 0;

  constructor(
    readonly file: string,
    readonly descriptor: number,
    readonly size: number,
  ) {}

  take(bytes: number): Buffer {
    if (this.at + bytes > this.size)
      throw refused(this.file, `is torn inside its header: ${this.size} of at least ${this.at + bytes} bytes`);
    let from = this.at - this.#chunkStart;
    if (from + bytes > this.#chunk.length) {
      this.#chunk = Buffer.allocUnsafe(Math.min(Math.max(bytes, CHUNK), this.size - this.at));
      fill(this.descriptor, this.#chunk, this.at);
      this.#chunkStart = this.at;
      from = 0;
    }
    this.at += bytes;
    return this.#chunk.subarray(from, from + bytes);
  }

  uint32 = (): number => this.take(4).readUInt32LE(0);

  uint64(): number {
    const value = Number(this.take(8).readBigUInt64LE(0));
    if (!Number.isSafeInteger(value)) throw refused(this.file, `has a header that is not GGUF's, near byte ${this.at}`);
    return value;
  }

  string = (): string => this.take(this.uint64()).toString('utf8');

  value(type: number): GgufValue {
    if (type === ARRAY) {
      const [items, length] = [this.uint32(), this.uint64()];
      const values: GgufValue[] = [];
      for (let n = 0; n < length; n++) values.push(this.value(items));
      return values;
    }
    const reader = SCALARS[type];
    if (reader === undefined) throw refused(this.file, `has metadata of unknown type ${type} near byte ${this.at}`);
    return reader(this);
  }
}

/** The decimal number that was meant: 1e-5 for the float32 nearest to it. */
const shortest = (single: number): number =>
  [6, 7, 8].map((digits) => Number(single.toPrecision(digits))).find((value) => Math.fround(value) === single) ??
  single;

const SCALARS: Record<number, (cursor: Cursor) => GgufValue> = {
  0: (cursor) => cursor.take(1).readUInt8(0),
  1: (cursor) => cursor.take(1).readInt8(0),
  2: (cursor) => cursor.take(2).readUInt16LE(0),
  3: (cursor) => cursor.take(2).readInt16LE(0),
  4: (cursor) => cursor.uint32(),
  5: (cursor) => cursor.take(4).readInt32LE(0),
  6: (cursor) => shortest(cursor.take(4).readFloatLE(0)),
  7: (cursor) => cursor.take(1).readUInt8(0) !== 0,
  8: (cursor) => cursor.string(),
  10: (cursor) => cursor.uint64(),
  11: (cursor) => Number(cursor.take(8).readBigInt64LE(0)),
  12: (cursor) => cursor.take(8).readDoubleLE(0),
};
