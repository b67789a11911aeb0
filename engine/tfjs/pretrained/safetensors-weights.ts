/**
 * Weights as the Hub keeps them: one safetensors file, or several with an index.
 *
 *   const weights = await openHubWeights('SmolLM2-135M');   // model.safetensors, or model.safetensors.index.json and shards
 *   await weights.read('model.norm.weight');                // float32
 *
 * Limits: F32, F16 and BF16.
 */
import { open, readFile, stat, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { FORMATS, type NumberFormat } from './numbers.ts';
import { refused, sizeOf, type Weights } from './source.ts';

const READ: Record<string, NumberFormat> = { F32: FORMATS.F32, F16: FORMATS.F16, BF16: FORMATS.BF16 };
const HEADER_LIMIT = 100_000_000;
const INDEX = 'model.safetensors.index.json';

interface Entry {
  file: string;
  handle: FileHandle;
  format: NumberFormat;
  shape: number[];
  begin: number;
  bytes: number;
}

/** @throws EngineError CheckpointInvalid: no weights, a shard that is missing or torn, a type that is not read. */
export async function openHubWeights(folder: string): Promise<Weights> {
  const handles: FileHandle[] = [];
  const close = async () => {
    for (const handle of handles) await handle.close();
  };
  try {
    const entries = new Map<string, Entry>();
    for (const file of await filesOf(folder)) {
      const handle = await open(file, 'r').catch((error: NodeJS.ErrnoException) => {
        throw refused(file, `cannot be read (${error.code})`);
      });
      handles.push(handle);
      for (const [name, entry] of await entriesOf(file, handle)) {
        const twice = entries.get(name);
        if (twice !== undefined) throw refused(file, `holds ${name}, which ${path.basename(twice.file)} holds too`);
        entries.set(name, entry);
      }
    }
    return {
      shapes: new Map([...entries].map(([name, { shape }]) => [name, shape])),
      async read(name) {
        const { file, handle, format, shape, begin, bytes } = entries.get(name)!;
        const stored = Buffer.allocUnsafe(bytes);
        if ((await fill(handle, stored, begin)) < bytes) throw refused(file, `is torn inside ${name}`);
        return format.decode(stored, sizeOf(shape));
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const exists = (file: string) => stat(file).then(Boolean, () => false);

async function filesOf(folder: string): Promise<string[]> {
  const index = path.join(folder, INDEX);
  if (await exists(index)) {
    const { weight_map: map } = JSON.parse(await readFile(index, 'utf8')) as { weight_map?: Record<string, string> };
    if (map === undefined) throw refused(index, 'has no weight_map');
    return [...new Set(Object.values(map))].sort().map((name) => path.join(folder, path.basename(name)));
  }
  const single = path.join(folder, 'model.safetensors');
  if (await exists(single)) return [single];
  throw refused(
    folder,
    `has no weights: neither model.safetensors nor ${INDEX}`,
    'save it with save_pretrained(folder, safe_serialization=True) of transformers',
  );
}

async function fill(handle: FileHandle, buffer: Buffer, from: number): Promise<number> {
  let done = 0;
  while (done < buffer.length) {
    // One call reads at most 2 GiB.
    const { bytesRead } = await handle.read(buffer, done, Math.min(buffer.length - done, 1 << 30), from + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

async function entriesOf(file: string, handle: FileHandle): Promise<[string, Entry][]> {
  const { size } = await handle.stat();
  const prefix = Buffer.alloc(8);
  if ((await fill(handle, prefix, 0)) < 8) throw refused(file, `is torn: ${size} bytes`);
  const length = Number(prefix.readBigUInt64LE(0));
  if (length > HEADER_LIMIT) throw refused(file, `is no safetensors file: its header would take ${length} bytes`);
  const start = 8 + length;
  if (start > size) throw refused(file, `is torn inside its header: ${size} of ${start} bytes`);
  const text = Buffer.alloc(length);
  await fill(handle, text, 8);
  let header: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  try {
    header = JSON.parse(text.toString('utf8')) as typeof header;
  } catch {
    throw refused(file, 'has a header that is no JSON');
  }
  return Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [from, to],
        },
      ]) => {
        const format = READ[dtype];
        if (format === undefined)
          throw refused(file, `holds ${name} as ${dtype}`, `convert it to one of ${Object.keys(READ).join(', ')}`);
        const bytes = sizeOf(shape) * format.bytes;
        if (to - from !== bytes)
          throw refused(file, `gives ${name} ${to - from} bytes where shape [${shape.join(', ')}] needs ${bytes}`);
        if (start + to > size) throw refused(file, `is torn inside ${name}: ${size} of ${start + to} bytes`);
        return [name, { file, handle, format, shape, begin: start + from, bytes }];
      },
    );
}
