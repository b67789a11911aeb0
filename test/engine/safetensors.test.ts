import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parameterShapes } from '../../engine/tfjs/parameters.ts';
import { readCheckpoint, weightsDigest, writeCheckpoint, writeSafetensors } from '../../engine/tfjs/safetensors.ts';
import type { NamedTensor } from '../../engine/tfjs/safetensors.ts';
import { DecoderConfig, TokenizerSpec } from '../../schemas/checkpoint.ts';

const config = DecoderConfig.parse({
  vocabSize: 8,
  dModel: 8,
  layers: 2,
  heads: 2,
  dFF: 16,
  activation: 'swiglu',
  context: 16,
});
const tokenizer = TokenizerSpec.parse({ kind: 'pieces', pieces: ['a', 'b', 'c', '<pad>', '<end>'], pad: 3, end: 4 });
const model = (c = config): NamedTensor[] =>
  parameterShapes(c).map(({ name, shape }, tensor) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return { name, shape, data: Float32Array.from({ length: size }, (_, i) => Math.fround(Math.sin(i + 31 * tensor))) };
  });

let folder: string;
let file: string;
let good: Buffer;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'safetensors-'));
  file = path.join(folder, 'good.safetensors');
  await writeCheckpoint(file, { config, tokenizer, tensors: model() });
  good = await readFile(file);
});
afterAll(() => rm(folder, { recursive: true }));

const headerOf = (bytes: Buffer) =>
  JSON.parse(bytes.toString('utf8', 8, 8 + Number(bytes.readBigUInt64LE(0)))) as Record<string, any>;
function withHeader(change: (header: Record<string, any>) => void): Buffer {
  const header = headerOf(good);
  change(header);
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, good.subarray(8 + Number(good.readBigUInt64LE(0)))]);
}

describe('a checkpoint file', () => {
  it('comes back as it was written, and nothing else is left in the folder', async () => {
    const read = await readCheckpoint(file);
    expect(read.config).toEqual(config);
    expect(read.tokenizer).toEqual(tokenizer);
    expect([...read.tensors.values()]).toEqual(model());
    expect(await readdir(folder)).toEqual(['good.safetensors']);
  });

  it('has the same bytes whatever the order of tensors and keys', async () => {
    const other = path.join(folder, 'other.safetensors');
    const reversed = Object.fromEntries(Object.entries(config).reverse()) as DecoderConfig;
    await writeCheckpoint(other, { config: reversed, tokenizer, tensors: model().reverse() });
    expect((await readFile(other)).equals(good)).toBe(true);
    const names = Object.keys(headerOf(good));
    expect(names).toEqual([...names].sort());
    expect((8 + Number(good.readBigUInt64LE(0))) % 8).toBe(0);
    await rm(other);
  });

  const norm = 'model.norm.weight';
  const damages: [string, () => Buffer, RegExp][] = [
    ['an empty file', () => Buffer.alloc(0), /torn: 0 bytes/],
    ['a file cut inside the header', () => good.subarray(0, 100), /torn inside its header: 100 of/],
    ['a file cut inside the data', () => good.subarray(0, good.length - 1), /torn inside model\.norm\.weight/],
    ['bytes after the end', () => Buffer.concat([good, Buffer.alloc(4)]), /4 bytes after its last tensor/],
    ['another format', () => Buffer.from('GGUF something else'), /no safetensors file/],
    [
      'a header that is no JSON',
      () => Buffer.concat([good.subarray(0, 8), Buffer.from('['), good.subarray(9)]),
      /no JSON object/,
    ],
    ['a missing tensor', () => withHeader((h) => ((h['x'] = h[norm]), delete h[norm])), /lacks model\.norm\.weight/],
    [
      'an unknown tensor',
      () => withHeader((h) => (h['x'] = { dtype: 'F32', shape: [0], data_offsets: [0, 0] })),
      /holds x, which/,
    ],
    [
      'a wrong shape',
      () => withHeader((h) => (h[norm].shape = [2, 4])),
      /holds model\.norm\.weight as F32 \[2, 4\] .* needs F32 \[8\]/,
    ],
    ['a wrong size', () => withHeader((h) => (h[norm].shape = [9])), /gives model\.norm\.weight 32 bytes .* needs 36/],
    ['a wrong type', () => withHeader((h) => (h[norm].dtype = 'I32')), /as I32 \[8\]/],
    ['a type that is not read', () => withHeader((h) => (h[norm].dtype = 'BF16')), /as BF16; convert it to F32/],
    [
      'overlapping data',
      () => withHeader((h) => (h[norm].data_offsets = h[norm].data_offsets.map((x: number) => x - 4))),
      /overlapping data before/,
    ],
    ['a malformed entry', () => withHeader((h) => (h[norm] = null)), /malformed entry for model\.norm\.weight/],
    ['no config', () => withHeader((h) => delete h['__metadata__'].config), /no config in its metadata/],
    ['a wrong config', () => withHeader((h) => (h['__metadata__'].config = '{"heads":0}')), /wrong config/],
    ['a config that is no JSON', () => withHeader((h) => (h['__metadata__'].config = '{')), /config that is no JSON/],
    [
      'heads that do not divide',
      () => withHeader((h) => (h['__metadata__'].config = JSON.stringify({ ...config, heads: 3 }))),
      /does not fit together: dModel 8 is not a multiple/,
    ],
  ];
  it.each(damages)('with %s is named with its cure', async (_, damaged, message) => {
    const bad = path.join(folder, 'bad.safetensors');
    await writeFile(bad, damaged());
    const failure = await readCheckpoint(bad).catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: 'EngineError', code: 'CheckpointInvalid' });
    expect((failure as Error).message).toMatch(message);
    expect((failure as Error).message).toContain(bad);
    expect((failure as Error).message).toMatch(/; (delete it|convert it)/);
    await rm(bad);
  });

  it('that is not there is named', async () => {
    await expect(readCheckpoint(path.join(folder, 'none'))).rejects.toThrow(
      /CheckpointInvalid: .*none cannot be read \(ENOENT\)/,
    );
  });

  it('that cannot be written whole leaves nothing behind', async () => {
    const target = path.join(folder, 'half');
    const wrong = { name: 'w', shape: [3], data: new Float32Array(2) };
    await expect(writeSafetensors(target, {}, [wrong])).rejects.toThrow(/w: 2 values for shape \[3\]/);
    expect(await readdir(folder)).toEqual(['good.safetensors']);
  });
});

describe('the weights digest', () => {
  it('does not depend on order and changes with each name, shape and bit', () => {
    const digest = weightsDigest(model());
    expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(weightsDigest(model().reverse())).toBe(digest);
    const variants = [0, 1, 2].map((kind) => {
      const tensors = model();
      const last = tensors.at(-1)!;
      if (kind === 0) last.name += 'x';
      if (kind === 1) last.shape = [2, 4];
      if (kind === 2) new Int32Array(last.data.buffer)[0]! ^= 1;
      return weightsDigest(tensors);
    });
    expect(new Set([digest, ...variants]).size).toBe(4);
  });
});
