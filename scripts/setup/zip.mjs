/**
 * Reads chosen entries of a zip archive by random access, so that a wheel of 230 MB is never held in memory.
 *
 * Covers what wheels use: stored and deflated entries, one disk, zip64 sizes and offsets. Each entry's CRC-32 and size are
 * checked. Layout: PKWARE APPNOTE 4.3 (end record, central directory, local headers).
 *
 * @example
 * const zip = await openZip('some.whl');
 * await zip.extract(zip.entries.find((entry) => entry.name.endsWith('.so.2')), '/tmp/library.so.2');
 * await zip.close();
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import zlib from 'node:zlib';

const endSignature = 0x06054b50;
const end64LocatorSignature = 0x07064b50;
const end64Signature = 0x06064b50;
const centralSignature = 0x02014b50;
const localSignature = 0x04034b50;
const saturated32 = 0xffffffff;

/**
 * @typedef {{ name: string, method: number, crc: number, packedBytes: number, bytes: number, offset: number, mode: number }} ZipEntry
 */

/** @param {string} file */
export const openZip = async (file) => {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const entries = parseDirectory(file, await readDirectory(file, handle, size));
    return {
      entries,
      /** Writes one entry to `target` (its folder is made). Throws, leaving `target` to the caller, if the bytes are not as promised. */
      extract: (entry, target) => extract(file, handle, size, entry, target),
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
};

const damaged = (file, what) => new Error(`${file} is not a readable zip archive: ${what}`);

const readAt = async (file, handle, size, position, length) => {
  if (position < 0 || length < 0 || position + length > size) throw damaged(file, 'an entry lies outside the file');
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await handle.read(buffer, 0, length, position);
  if (bytesRead !== length) throw damaged(file, 'it ends early');
  return buffer;
};

const readDirectory = async (file, handle, size) => {
  // The end record is 22 bytes plus a comment of up to 65,535.
  const tailLength = Math.min(size, 22 + 65_535);
  const tail = await readAt(file, handle, size, size - tailLength, tailLength);
  let at = tail.length - 22;
  while (at >= 0 && tail.readUInt32LE(at) !== endSignature) at -= 1;
  if (at < 0) throw damaged(file, 'no end record');
  let length = tail.readUInt32LE(at + 12);
  let offset = tail.readUInt32LE(at + 16);
  if (offset === saturated32 || length === saturated32) {
    if (at < 20 || tail.readUInt32LE(at - 20) !== end64LocatorSignature) throw damaged(file, 'no zip64 end record');
    const end64 = await readAt(file, handle, size, Number(tail.readBigUInt64LE(at - 20 + 8)), 56);
    if (end64.readUInt32LE(0) !== end64Signature) throw damaged(file, 'a wrong zip64 end record');
    length = Number(end64.readBigUInt64LE(40));
    offset = Number(end64.readBigUInt64LE(48));
  }
  return readAt(file, handle, size, offset, length);
};

/** @returns {ZipEntry[]} */
const parseDirectory = (file, directory) => {
  const entries = [];
  for (let at = 0; at < directory.length;) {
    if (at + 46 > directory.length || directory.readUInt32LE(at) !== centralSignature) {
      throw damaged(file, 'a wrong directory entry');
    }
    const nameLength = directory.readUInt16LE(at + 28);
    const extraLength = directory.readUInt16LE(at + 30);
    const entry = {
      name: directory.toString('utf8', at + 46, at + 46 + nameLength),
      method: directory.readUInt16LE(at + 10),
      crc: directory.readUInt32LE(at + 16),
      packedBytes: directory.readUInt32LE(at + 20),
      bytes: directory.readUInt32LE(at + 24),
      offset: directory.readUInt32LE(at + 42),
      mode: directory.readUInt32LE(at + 38) >>> 16,
    };
    applyZip64(entry, directory.subarray(at + 46 + nameLength, at + 46 + nameLength + extraLength));
    entries.push(entry);
    at += 46 + nameLength + extraLength + directory.readUInt16LE(at + 32);
  }
  return entries;
};

/** Sizes and offsets that do not fit 32 bits stand in extra field 1, in this order and only where they are saturated. */
const applyZip64 = (entry, extra) => {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    let next = at + 4;
    for (const field of ['bytes', 'packedBytes', 'offset']) {
      if (entry[field] !== saturated32) continue;
      entry[field] = Number(extra.readBigUInt64LE(next));
      next += 8;
    }
  }
};

const extract = async (file, handle, size, entry, target) => {
  if (entry.method !== 0 && entry.method !== 8) throw damaged(file, `${entry.name} uses compression ${entry.method}`);
  const local = await readAt(file, handle, size, entry.offset, 30);
  if (local.readUInt32LE(0) !== localSignature) throw damaged(file, `${entry.name} has no local header`);
  const start = entry.offset + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
  if (start + entry.packedBytes > size) throw damaged(file, `${entry.name} ends early`);
  await mkdir(dirname(target), { recursive: true });
  const check = new Checked();
  const source =
    entry.packedBytes === 0
      ? Readable.from([])
      : createReadStream(file, { start, end: start + entry.packedBytes - 1, highWaterMark: 1 << 20 });
  const inflate = entry.method === 8 ? [zlib.createInflateRaw({ chunkSize: 1 << 20 })] : [];
  await pipeline([source, ...inflate, check, createWriteStream(target, { mode: entry.mode & 0o100 ? 0o755 : 0o644 })]);
  if (check.bytes !== entry.bytes || check.crc !== entry.crc) {
    throw damaged(
      file,
      `${entry.name} has ${check.bytes} bytes with CRC ${check.crc}, expected ${entry.bytes} and ${entry.crc}`,
    );
  }
};

/** Passes bytes through, counting and checksumming them (`zlib.crc32`: Node 20.15 and later). */
class Checked extends Transform {
  bytes = 0;
  crc = 0;
  _transform(chunk, _encoding, done) {
    this.bytes += chunk.length;
    this.crc = zlib.crc32(chunk, this.crc);
    done(null, chunk);
  }
}
