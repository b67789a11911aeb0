/**
 * Checkpoints as safetensors files (https://github.com/huggingface/safetensors, "Format").
 *
 *   await writeCheckpoint('model.safetensors', { config, tokenizer, tensors });
 *   const { config, tokenizer, tensors } = await readCheckpoint('model.safetensors');
 *
 * Same contents ⇒ same bytes: header keys and data are sorted by name, and nothing of the moment of writing enters.
 * A file appears whole or not at all (temporary file, fsync, rename). Limits: F32, I32 and U8; little-endian machines.
 */
import { createHash } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { DecoderConfig, TokenizerSpec } from '../../schemas/checkpoint.ts';
import { EngineError } from '../engine.ts';
import { atOnce } from './gently.ts';
import type { Steps } from './gently.ts';
import { architectureFault, parameterShapes } from './parameters.ts';
import type { ParameterShape } from './parameters.ts';

/** One float32 tensor, row-major. */
export interface NamedTensor {
  name: string;
  shape: number[];
  data: Float32Array;
}

/** One stored tensor of any supported type; the type follows from `data`. */
export interface StoredTensor {
  name: string;
  shape: number[];
  data: Float32Array | Int32Array | Uint8Array;
}

/** A checkpoint as read: every tensor of the architecture is there, with the right shape. */
export interface Checkpoint {
  config: DecoderConfig;
  tokenizer: TokenizerSpec;
  tensors: Map<string, NamedTensor>;
}

const ARRAYS = { F32: Float32Array, I32: Int32Array, U8: Uint8Array } as const;
type StoredType = keyof typeof ARRAYS;
const HEADER_LIMIT = 100_000_000;
/** Read and hashed at once: the system and the hash refuse 2 GiB. */
const PIECE = 1 << 28;
const CURE = 'delete it and re-run the fine-tune that wrote it, or fetch it again';

const storedType = (data: StoredTensor['data']): StoredType =>
  data instanceof Float32Array ? 'F32' : data instanceof Int32Array ? 'I32' : 'U8';
const bytesOf = (data: StoredTensor['data']) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
const sizeOf = (shape: readonly number[]) => shape.reduce((product, side) => product * side, 1);
/** By code unit, not by locale: the order enters digests. */
const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

/**
 * Writes one safetensors file so that a reader sees all of it or nothing, also after a power cut.
 * @param metadata becomes `__metadata__`; keys are sorted.
 */
export async function writeSafetensors(
  file: string,
  metadata: Record<string, string>,
  tensors: Iterable<StoredTensor>,
): Promise<void> {
  const sorted = [...tensors].sort(byName);
  const header: Record<string, unknown> = {
    __metadata__: Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1))),
  };
  let end = 0;
  for (const { name, shape, data } of sorted) {
    if (sizeOf(shape) !== data.length)
      throw new RangeError(`${name}: ${data.length} values for shape [${shape.join(', ')}]`);
    const begin = end;
    end += data.byteLength;
    header[name] = { dtype: storedType(data), shape, data_offsets: [begin, end] };
  }
  const json = Buffer.from(JSON.stringify(header));
  // Readers map the file: data begins at a multiple of 8.
  const padded = Buffer.alloc(Math.ceil(json.length / 8) * 8, ' ');
  json.copy(padded);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));

  const temporary = `${file}.${process.pid}.tmp`;
  try {
    const handle = await open(temporary, 'w');
    try {
      for (const part of [length, padded, ...sorted.map(({ data }) => bytesOf(data))]) await handle.writeFile(part);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
    const folder = await open(path.dirname(file), 'r');
    await folder.sync().finally(() => folder.close());
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/**
 * Reads one safetensors file; the tensors are views of one buffer where alignment allows.
 * @throws EngineError CheckpointInvalid, naming the file, what is wrong and the cure.
 */
export async function readSafetensors(
  file: string,
): Promise<{ metadata: Record<string, string>; tensors: Map<string, StoredTensor> }> {
  const invalid = (fault: string) => new EngineError('CheckpointInvalid', `${file} ${fault}; ${CURE}`);
  let bytes: Buffer;
  try {
    bytes = await readWhole(file);
  } catch (error) {
    throw invalid(`cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
  }
  if (bytes.length < 8) throw invalid(`is torn: ${bytes.length} bytes, less than the length of its header`);
  const headerLength = Number(bytes.readBigUInt64LE(0));
  if (headerLength > HEADER_LIMIT) throw invalid(`is no safetensors file: its header would take ${headerLength} bytes`);
  const dataStart = 8 + headerLength;
  if (bytes.length < dataStart) throw invalid(`is torn inside its header: ${bytes.length} of ${dataStart} bytes`);
  let header: Record<string, unknown>;
  try {
    const parsed: unknown = JSON.parse(bytes.toString('utf8', 8, dataStart));
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new TypeError('not an object');
    header = parsed as Record<string, unknown>;
  } catch {
    throw invalid('has a header that is no JSON object');
  }

  const { __metadata__: metadata = {}, ...entries } = header;
  if (typeof metadata !== 'object' || metadata === null || Object.values(metadata).some((v) => typeof v !== 'string')) {
    throw invalid('has metadata that are not strings');
  }
  const tensors = new Map<string, StoredTensor>();
  const spans: [begin: number, end: number, name: string][] = [];
  for (const [name, entry] of Object.entries(entries)) {
    const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
    if (!isCounts(shape) || !isCounts(offsets) || offsets.length !== 2)
      throw invalid(`has a malformed entry for ${name}`);
    if (!(typeof dtype === 'string' && Object.hasOwn(ARRAYS, dtype))) {
      throw new EngineError(
        'CheckpointInvalid',
        `${file} holds ${name} as ${String(dtype)}; convert it to F32 (also read: I32, U8)`,
      );
    }
    const array = ARRAYS[dtype as StoredType];
    const [begin, end] = offsets as [number, number];
    const expected = sizeOf(shape) * array.BYTES_PER_ELEMENT;
    if (end - begin !== expected) {
      throw invalid(`gives ${name} ${end - begin} bytes where shape [${shape.join(', ')}] needs ${expected}`);
    }
    if (dataStart + end > bytes.length)
      throw invalid(`is torn inside ${name}: ${bytes.length} of ${dataStart + end} bytes`);
    spans.push([begin, end, name]);
    const at = bytes.byteOffset + dataStart + begin;
    const buffer = bytes.buffer as ArrayBuffer;
    const aligned = at % array.BYTES_PER_ELEMENT === 0;
    const data = aligned ? new array(buffer, at, sizeOf(shape)) : new array(buffer.slice(at, at + expected));
    tensors.set(name, { name, shape, data });
  }
  let reached = 0;
  for (const [begin, end, name] of spans.sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    if (begin !== reached) throw invalid(`has ${begin < reached ? 'overlapping data' : 'a hole'} before ${name}`);
    reached = end;
  }
  if (dataStart + reached !== bytes.length) {
    throw invalid(`has ${bytes.length - dataStart - reached} bytes after its last tensor`);
  }
  return { metadata: metadata as Record<string, string>, tensors };
}

/** As `readFile`, which refuses 2 GiB and more; the limit here is that of a Buffer, 4 GiB on Node 20 and more than memory later. */
async function readWhole(file: string): Promise<Buffer> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const bytes = Buffer.allocUnsafeSlow(size);
    let at = 0;
    while (at < size) {
      const { bytesRead } = await handle.read(bytes, at, Math.min(PIECE, size - at), at);
      if (bytesRead === 0) break;
      at += bytesRead;
    }
    return bytes.subarray(0, at);
  } finally {
    await handle.close();
  }
}

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((side) => Number.isSafeInteger(side) && (side as number) >= 0);

/** Writes a model: same config, tokenizer and tensors ⇒ same bytes. */
export async function writeCheckpoint(
  file: string,
  model: { config: DecoderConfig; tokenizer: TokenizerSpec; tensors: Iterable<NamedTensor> | Map<string, NamedTensor> },
): Promise<void> {
  const tensors = model.tensors instanceof Map ? model.tensors.values() : model.tensors;
  // Parsing orders the keys by the schema, so that the caller's key order leaves no trace in the bytes.
  const metadata = {
    config: JSON.stringify(DecoderConfig.parse(model.config)),
    tokenizer: JSON.stringify(TokenizerSpec.parse(model.tokenizer)),
  };
  await writeSafetensors(file, metadata, tensors);
}

/**
 * One entry of a checkpoint's metadata.
 * @throws EngineError CheckpointInvalid, naming the file, what is wrong and the cure.
 */
export function parseMetadata<T>(
  file: string,
  metadata: Record<string, string>,
  key: string,
  schema: { safeParse(value: unknown): { success: boolean; data?: T; error?: unknown } },
): T {
  const invalid = (fault: string) => new EngineError('CheckpointInvalid', `${file} ${fault}; ${CURE}`);
  const text = metadata[key];
  if (text === undefined) throw invalid(`has no ${key} in its metadata`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid(`has a ${key} that is no JSON`);
  }
  const result = schema.safeParse(value);
  if (!result.success) {
    const issue = (result.error as { issues: { path: PropertyKey[]; message: string }[] }).issues[0];
    throw invalid(`has a wrong ${key} (${issue?.path.join('.')}: ${issue?.message})`);
  }
  return result.data as T;
}

/**
 * The tensors if they are just those expected, each float32 in its shape.
 * @throws EngineError CheckpointInvalid.
 */
export function exactTensors(
  file: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  expected: readonly ParameterShape[],
): Map<string, NamedTensor> {
  const invalid = (fault: string) => new EngineError('CheckpointInvalid', `${file} ${fault}; ${CURE}`);
  const checked = new Map<string, NamedTensor>();
  for (const { name, shape } of expected) {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw invalid(`lacks ${name}`);
    if (tensor.shape.join() !== shape.join() || !(tensor.data instanceof Float32Array)) {
      throw invalid(
        `holds ${name} as ${storedType(tensor.data)} [${tensor.shape.join(', ')}] where its config needs F32 [${shape.join(', ')}]`,
      );
    }
    checked.set(name, { name, shape: tensor.shape, data: tensor.data });
  }
  for (const name of tensors.keys())
    if (!checked.has(name)) throw invalid(`holds ${name}, which its config does not know`);
  return checked;
}

/**
 * Reads a model and checks it: config, tokenizer, and each tensor of the architecture with its shape.
 * @throws EngineError CheckpointInvalid, naming the file, what is wrong and the cure.
 */
export async function readCheckpoint(file: string): Promise<Checkpoint> {
  const { metadata, tensors } = await readSafetensors(file);
  const config = parseMetadata(file, metadata, 'config', DecoderConfig);
  const tokenizer = parseMetadata(file, metadata, 'tokenizer', TokenizerSpec);
  const fault = architectureFault(config, tokenizer);
  if (fault !== null) throw new EngineError('CheckpointInvalid', `${file} does not fit together: ${fault}; ${CURE}`);
  return { config, tokenizer, tensors: exactTensors(file, tensors, parameterShapes(config)) };
}

/**
 * `sha256:<hex>` over the tensors sorted by name: each one's name, type and shape as a line of JSON, then its
 * little-endian bytes, whose number the shape gives: two sets of tensors never frame to the same bytes.
 */
export const weightsDigest = (tensors: Iterable<NamedTensor>): string => atOnce(digestSteps(tensors));

/** As `weightsDigest`, in steps. */
export function* digestSteps(tensors: Iterable<NamedTensor>): Steps<string> {
  const hash = createHash('sha256');
  for (const { name, shape, data } of [...tensors].sort(byName)) {
    hash.update(`${JSON.stringify([name, storedType(data), shape])}\n`);
    const bytes = bytesOf(data);
    for (let at = 0; at < bytes.length; at += PIECE) {
      hash.update(bytes.subarray(at, at + PIECE));
      yield;
    }
  }
  return `sha256:${hash.digest('hex')}`;
}
