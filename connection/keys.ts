/**
 * The keys that encrypt payloads: one a line, newest first, from a file or (with commas for line ends) a variable.
 *
 *   # STARTRAIL_CODEC_KEYS_FILE: `openssl rand -base64 32` makes a key
 *   2026-11 mXyX…=        encrypts
 *   2026-05 8Jk2…=        still decrypts what was written with it
 *
 * To rotate, put a new line on top; take an old one away when no run, schedule or history that matters was written with it.
 */
import { createSecretKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { CodecSettings } from '../temporal.config.ts';
import { ConnectionError } from './failure.ts';

/** By name, newest first. Empty = nothing is encrypted. `KeyObject`s do not show their bytes when they are printed. */
export type CodecKeys = ReadonlyMap<string, KeyObject>;

const KEY_BYTES = 32;
const bad = (sentence: string) => new ConnectionError('CodecKeysInvalid', sentence);

/** Throws CodecKeysInvalid; its sentence names lines and key names, never what stands there. */
export function parseKeys(text: string, where: string): CodecKeys {
  const keys = new Map<string, KeyObject>();
  for (const [index, line] of text.split(/[\n,]/).entries()) {
    const words = line.replace(/#.*/, '').trim().split(/\s+/);
    if (words[0] === '') continue;
    const [name = '', secret = ''] = words;
    const place = `${where}, key ${keys.size + 1} (line ${index + 1})`;
    const bytes = Buffer.from(secret, 'base64');
    if (words.length !== 2 || !/^[\w.-]{1,64}$/.test(name) || bytes.toString('base64') !== secret)
      throw bad(`${place}: expected a name, a space and a key in base64; make one with \`openssl rand -base64 32\``);
    if (bytes.length !== KEY_BYTES)
      throw bad(
        `${place}: "${name}" has ${bytes.length} bytes, AES-256 needs ${KEY_BYTES}; make one with \`openssl rand -base64 32\``,
      );
    if (keys.has(name)) throw bad(`${place}: there are two keys named "${name}"; give the newer one another name`);
    keys.set(name, createSecretKey(bytes));
  }
  if (keys.size === 0) throw bad(`${where} holds no key: add one with \`openssl rand -base64 32\`, or unset it`);
  return keys;
}

/** The declared keys, none if none are declared. Throws CodecKeysInvalid. */
export function loadKeys({ keys, keysFile }: CodecSettings): CodecKeys {
  if (keys !== undefined && keysFile !== undefined)
    throw bad('STARTRAIL_CODEC_KEYS and STARTRAIL_CODEC_KEYS_FILE are both set: unset one of them');
  if (keys !== undefined) return parseKeys(keys, 'STARTRAIL_CODEC_KEYS');
  if (keysFile === undefined) return new Map();
  let text: string;
  try {
    text = readFileSync(keysFile, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '?';
    throw bad(
      `the key file ${keysFile} cannot be read (${code}): put it in place, or correct STARTRAIL_CODEC_KEYS_FILE`,
    );
  }
  return parseKeys(text, keysFile);
}
