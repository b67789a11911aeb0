/**
 * Stored numbers to float32: half precisions and the simple block quantisations of GGUF.
 *
 *   const values = FORMATS.F16.decode(bytes, 1024);
 *
 * Each value is the float32 nearest to what the stored bits mean; a block's formula is that of ggml
 * (https://github.com/ggml-org/ggml, `dequantize_row_q4_0` and its neighbours). Limits: no K-quants, no float8.
 */

export interface NumberFormat {
  /** Values that are stored together, and the bytes they take. */
  block: number;
  bytes: number;
  decode(bytes: Uint8Array, count: number): Float32Array<ArrayBuffer>;
}

const BLOCK = 32;

/** The float32 of each half-precision bit pattern: made on first use, 256 KB. */
let halves: Float32Array | undefined;
function halfTable(): Float32Array {
  if (halves !== undefined) return halves;
  halves = new Float32Array(65_536);
  for (let bits = 0; bits < 65_536; bits++) {
    const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
    const size =
      exponent === 31
        ? fraction === 0
          ? Infinity
          : NaN
        : exponent === 0
          ? fraction * 2 ** -24
          : (1024 + fraction) * 2 ** (exponent - 25);
    halves[bits] = bits < 32_768 ? size : -size;
  }
  return halves;
}

const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** `fill(values, at, stored, from, half)` writes the 32 values of the block that begins at byte `from`. */
const blocks = (
  bytes: number,
  fill: (values: Float32Array, at: number, stored: DataView, from: number, half: Float32Array) => void,
): NumberFormat => ({
  block: BLOCK,
  bytes,
  decode(stored, count) {
    const values = new Float32Array(count);
    const [half, bits] = [halfTable(), view(stored)];
    for (let n = 0; n < count / BLOCK; n++) fill(values, n * BLOCK, bits, n * bytes, half);
    return values;
  },
});

/** 16 bytes of 4-bit numbers from `from`: the low halves are values 0 … 15, the high ones 16 … 31. */
function nibbles(
  values: Float32Array,
  at: number,
  stored: DataView,
  from: number,
  scale: number,
  offset: number,
): void {
  for (let i = 0; i < BLOCK / 2; i++) {
    const byte = stored.getUint8(from + i);
    // A product of 4 and 11 bits is exact, so that the sum rounds once.
    values[at + i] = (byte & 15) * scale + offset;
    values[at + i + BLOCK / 2] = (byte >> 4) * scale + offset;
  }
}

export const FORMATS = {
  F32: {
    block: 1,
    bytes: 4,
    decode: (stored, count) => {
      const values = new Float32Array(count);
      new Uint8Array(values.buffer).set(stored.subarray(0, count * 4));
      return values;
    },
  },
  F16: {
    block: 1,
    bytes: 2,
    decode: (stored, count) => {
      const [half, bits] = [halfTable(), view(stored)];
      const values = new Float32Array(count);
      for (let i = 0; i < count; i++) values[i] = half[bits.getUint16(2 * i, true)]!;
      return values;
    },
  },
  BF16: {
    block: 1,
    bytes: 2,
    decode: (stored, count) => {
      const [values, bits] = [new Float32Array(count), view(stored)];
      const words = new Uint32Array(values.buffer);
      for (let i = 0; i < count; i++) words[i] = bits.getUint16(2 * i, true) << 16;
      return values;
    },
  },
  Q4_0: blocks(18, (values, at, stored, from, half) => {
    const scale = half[stored.getUint16(from, true)]!;
    nibbles(values, at, stored, from + 2, scale, -8 * scale);
  }),
  Q4_1: blocks(20, (values, at, stored, from, half) => {
    const [scale, least] = [half[stored.getUint16(from, true)]!, half[stored.getUint16(from + 2, true)]!];
    nibbles(values, at, stored, from + 4, scale, least);
  }),
  Q8_0: blocks(34, (values, at, stored, from, half) => {
    const scale = half[stored.getUint16(from, true)]!;
    for (let i = 0; i < BLOCK; i++) values[at + i] = stored.getInt8(from + 2 + i) * scale;
  }),
} satisfies Record<string, NumberFormat>;
export type FormatName = keyof typeof FORMATS;
