import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openGguf } from '../../engine/tfjs/pretrained/gguf.ts';
import { FORMATS } from '../../engine/tfjs/pretrained/numbers.ts';
import { gguf } from './pretrained-files.ts';

const root = mkdtempSync(path.join(os.tmpdir(), 'numbers-'));
afterAll(() => rmSync(root, { recursive: true }));

/** 16 bytes: low halves count up, high halves down. */
const nibbles = Array.from({ length: 16 }, (_, i) => i | ((15 - i) << 4));
const up = Array.from({ length: 16 }, (_, i) => i);
const both = [...up, ...up.map((i) => 15 - i)];

describe('stored numbers', () => {
  it('half precision: normal, subnormal, signed zero, infinite', () => {
    const bits = Uint16Array.of(0x3c00, 0xc100, 0x7bff, 0x0001, 0x0400, 0x8000, 0xfc00, 0x7e00);
    expect([...FORMATS.F16.decode(new Uint8Array(bits.buffer), 8)]).toEqual([
      1,
      -2.5,
      65504,
      2 ** -24,
      2 ** -14,
      -0,
      -Infinity,
      NaN,
    ]);
  });

  it('bfloat16 and float32', () => {
    const words = Uint16Array.of(0x3f80, 0xc020, 0x7f7f, 0x0001);
    expect([...FORMATS.BF16.decode(new Uint8Array(words.buffer), 4)]).toEqual([
      1,
      -2.5,
      2 ** 127 * (2 - 2 ** -7),
      2 ** -133,
    ]);
    expect([...FORMATS.F32.decode(new Uint8Array(Float32Array.of(0.1, -3).buffer), 2)]).toEqual([Math.fround(0.1), -3]);
  });

  // Scale 0.5 (0x3800), least −2 (0xc000).
  it.each([
    ['Q4_0', [0x00, 0x38, ...nibbles], both.map((q) => 0.5 * (q - 8))],
    ['Q4_1', [0x00, 0x38, 0x00, 0xc0, ...nibbles], both.map((q) => 0.5 * q - 2)],
    [
      'Q8_0',
      [0x00, 0x38, ...Array.from({ length: 32 }, (_, i) => (i * 8 - 128) & 255)],
      Array.from({ length: 32 }, (_, i) => 0.5 * (i * 8 - 128)),
    ],
  ] as const)('%s by its formula, block after block', (name, block, expected) => {
    const file = path.join(root, `${name}.gguf`);
    const stored = Uint8Array.from([...block, ...block]);
    gguf(file, { 'general.alignment': 32 }, [
      { name: 'first', shape: [1], type: 'F32', bytes: new Uint8Array(4) },
      { name: 'x', shape: [2, 32], type: name, bytes: stored },
    ]);
    const weights = openGguf(file);
    expect(weights.shapes.get('x')).toEqual([2, 32]);
    return weights
      .read('x')
      .then((values) => expect([...values]).toEqual([...expected, ...expected]))
      .finally(() => weights.close());
  });

  it('refuses what it cannot read by its name, and halves of blocks', () => {
    const file = path.join(root, 'other.gguf');
    gguf(file, {}, [{ name: 'x', shape: [256], type: 'Q6_K', bytes: new Uint8Array(210) }]);
    expect(() => openGguf(file)).toThrow('holds x as Q6_K; convert it to one of F32, F16, BF16, Q4_0, Q4_1, Q8_0');
    gguf(file, {}, [{ name: 'x', shape: [4, 16], type: 'Q8_0', bytes: new Uint8Array(68) }]);
    expect(() => openGguf(file)).toThrow('holds x as Q8_0 in rows of 16, not whole blocks of 32');
  });
});
